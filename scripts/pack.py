"""Pack the recordings of a manifest into tar shards, and write a manifest that names their places there.

In:  a manifest (JSONL of scp2jsonl.py).
Out: SHARDS_DIR/000000.tar, 000001.tar, ... of about a gigabyte; --packed-file, the same utterances in the same order,
     each read from `SHARD.tar:BYTE`; --rejects-file, what could not be packed. Packed + rejected = utterances.

--form as-is keeps the bytes of whole recordings; parts of long ones (segments) are cut out, with the same samples.
--form flac makes everything 16 kHz FLAC of one channel and 16 bits.
Called again, shards that are finished and whole are kept, and anything else is made again. --address says where shards
will be read from once they are copied there, such as s3://bucket/folder or https://host/folder.
"""

import argparse
import logging
import shutil
from pathlib import Path

from recipe.audio import fetch
from recipe.cli import run
from recipe.data import packing
from recipe.data.packing import Packing, PackLedger
from recipe.data.pieces import AS_IS, FORMS
from recipe.data.shards import SHARD_BYTES
from recipe.files import RecipeError, refuse_overwriting
from recipe.settings import flags
from recipe.settings.data import DataSettings

logger = logging.getLogger("pack")

SETTINGS = ("fetch", "allow_commands", "max_reject_ratio", "workers")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jsonl-file", required=True, help="manifest")
    parser.add_argument("--shards-dir", required=True, type=Path, help="folder for the shards")
    parser.add_argument("--packed-file", required=True, help="packed manifest to write")
    parser.add_argument("--rejects-file", required=True, help="what could not be packed, to write (TSV)")
    parser.add_argument(
        "--form", choices=FORMS, default=AS_IS, help=f"what recordings are packed as (default: {AS_IS})"
    )
    parser.add_argument("--address", help="where the shards will be read from (default: SHARDS_DIR)")
    megabytes = SHARD_BYTES // 10**6
    parser.add_argument(
        "--shard-megabytes",
        type=flags.at_least(0.001, float),
        default=megabytes,
        help=f"size at which a shard is closed (MB; default: {megabytes})",
    )
    flags.add(parser.add_argument_group("settings, as in the section `data` of config.yaml"), DataSettings, SETTINGS)
    return parser.parse_args()


def finish(ledger: PackLedger, args: argparse.Namespace, most: float) -> None:
    """Say what was packed, and stop if too much was lost."""
    logger.info("%s", ledger.summary())
    # A workflow removes the outputs of a failed stage; this copy stays to be looked at.
    kept = Path(f"{args.rejects_file.removesuffix('.tsv')}.failed.tsv")
    kept.unlink(missing_ok=True)
    if ledger.rejected.total() > most * ledger.utterances:
        shutil.copyfile(args.rejects_file, kept)
        raise RecipeError(
            f"{args.jsonl_file}: {ledger.summary()}: more than max_reject_ratio {most:g}; look into {kept}, mend what "
            "is wrong and call again (what is packed is kept), or raise the limit"
        )


def main() -> None:
    args = parse_args()
    settings = flags.section(args, DataSettings, SETTINGS)
    refuse_overwriting([args.packed_file, args.rejects_file], [args.jsonl_file])
    how = Packing(
        args.form,
        round(args.shard_megabytes * 1e6),
        fetch.policy_of(settings.fetch, settings.allow_commands),
        settings.workers,
    )
    ledger = packing.pack(args.jsonl_file, args.shards_dir, args.packed_file, args.rejects_file, how, args.address)
    finish(ledger, args, settings.max_reject_ratio)


if __name__ == "__main__":
    run(main)
