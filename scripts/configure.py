"""Write a first configuration for one's own data: `make config DATA=FOLDER`.

In:  DATA, a folder with train/, valid/ (or dev/) and test*/ in it, each a Kaldi data directory (wav.scp, text), or
     JSONL files of these names; --model, a model of the hub or a directory; --preset, names of config/presets.
Out: --output, a copy of config/own.yaml with what was found. A file that is there already stays as it is. What was
     found, and what to do next, is printed.
"""

import argparse
from pathlib import Path

from recipe.cli import run
from recipe.files import RecipeError
from recipe.workflow import begin

CONFIG = Path(__file__).resolve().parent.parent / "config"
PUBLISHED = "FunAudioLLM/Fun-ASR-Nano-2512-hf"


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA", help="folder of the corpus")
    parser.add_argument("--output", default="mine.yaml", help="configuration to write (default: mine.yaml)")
    parser.add_argument("--model", default=PUBLISHED, help=f"model to start from (default: {PUBLISHED})")
    parser.add_argument("--revision", help="commit of a hub's model; the newest, if the hub can be asked")
    parser.add_argument(
        "--preset", nargs="+", default=["adaptor"], help=f"what is trained: {', '.join(known_presets())}"
    )
    return parser.parse_args()


def known_presets() -> list[str]:
    """Names of the presets."""
    return sorted(file.stem for file in (CONFIG / "presets").glob("*.yaml"))


def preset_texts(names: list[str]) -> list[str]:
    """The presets' files; RecipeError if there is none of a name."""
    if unknown := [name for name in names if name not in known_presets()]:
        raise RecipeError(f"--preset: there is no {', '.join(unknown)}; there are {', '.join(known_presets())}")
    return [(CONFIG / f"presets/{name}.yaml").read_text(encoding="utf-8") for name in dict.fromkeys(names)]


def tell(args: argparse.Namespace, found: begin.FoundSets, revision: str | None, hub: bool) -> None:
    """Print what was found and what to do next."""
    for role, places in found.sets.items():
        for name, place in places.items():
            print(f"{role:5} {name}: {place}")
    for words in found.incomplete:
        print(f"left out: {words}")
    print(f"model {args.model}{f' at {revision}' if revision else ''}")
    print(f"wrote {args.output}. Next:")
    if hub and not revision:
        print(
            f"  write the model's commit into it as revision: its page at the hub, {args.model}, shows it under History"
        )
    print("  . .venv/bin/activate")
    print(f"  snakemake --cores all --dry-run eval --configfile {args.output}   # what would run")
    print(f"  snakemake --cores all eval --configfile {args.output}")


def main() -> None:
    args = parse_args()
    found = begin.find_sets(args.data)
    hub = begin.is_hub_model(args.model)
    revision = args.revision
    if hub and not revision:
        # Loaded here: --help should not take seconds.
        from recipe.convert.hub import newest_commit

        revision = newest_commit(args.model)
    template = (CONFIG / "own.yaml").read_text(encoding="utf-8")
    text = begin.configuration(
        template, preset_texts(args.preset), Path(args.output).stem, (args.model, revision), found.sets
    )
    begin.write_configuration(args.output, text)
    tell(args, found, revision, hub)


if __name__ == "__main__":
    run(main)
