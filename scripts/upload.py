"""Publish a model directory (weights, card, recipe.json) on the Hugging Face hub. Nothing else ever uploads anything.

In:  a model directory, as train.py or convert.py write it, and the name of a repository.
Out: without --yes the list of files that would go there; with it, one commit in that repository, which is created if it
     does not exist. A directory with training state, audio, manifests or other foreign files is refused.
Who uploads is said by HF_TOKEN or by `hf auth login`.
"""

import argparse
import logging
import re

from recipe.cli import run
from recipe.convert import publish
from recipe.files import RecipeError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_dir", metavar="MODEL_DIR", help="model directory")
    parser.add_argument("--repo", required=True, help="repository to upload to: organization/name")
    parser.add_argument("--private", action="store_true", help="if the repository is created, only its owners see it")
    parser.add_argument("--yes", action="store_true", help="upload; without it the files are only listed")
    args = parser.parse_args()
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", args.repo, re.ASCII):
        raise RecipeError(f"--repo {args.repo}: expected organization/name")
    names = publish.files(args.model_dir)
    for name, size in names.items():
        print(f"{size / 1e6:12.3f} MB  {name}")
    print(f"{sum(names.values()) / 1e6:12.3f} MB  in {len(names)} files, to {args.repo}")
    if not args.yes:
        logging.info("nothing was uploaded: --yes does it")
        return
    from huggingface_hub import HfApi, errors

    from recipe.convert import hub

    hub.reach(args.repo)  # the upload itself would wait for an answer without an end
    try:
        where = publish.upload(HfApi(), args.model_dir, names, args.repo, args.private)
    except (errors.HTTPError, errors.LocalTokenNotFoundError, OSError) as error:
        raise RecipeError(f"{args.repo}: {error}") from None
    logging.info("uploaded: %s", where)


if __name__ == "__main__":
    run(main)
