"""What every stage's command line shares: logging, and errors as one clear line."""

import argparse
import errno
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise

from recipe import record
from recipe.files import RecipeError

_FORMAT, _TIME = "%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"  # of log lines
# Names the file in which a stage that ends well says what it was made with (see record.py).
RECORD = "RECIPE_RECORD"
# What the machine refuses, as against what we do wrong: no space, no quota, read-only, no permission, a broken disk ...
_REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
# ... and paths that somebody named and that cannot be such files or folders.
_WRONG_PATHS = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}


def run(main: Callable[[], int | None]) -> None:
    """Run a stage's `main` and exit with its status (None is 0).

    A `RecipeError` becomes one line on standard error and its exit status (2), because its message says what to do,
    and so does a file that the machine refuses to read or write; any other exception is a defect of ours and keeps its
    traceback. RECIPE_LOG sets the log level (default INFO).
    """
    _share_processors()
    logging.basicConfig(
        level=os.environ.get("RECIPE_LOG", "INFO").upper(),
        format=_FORMAT,
        datefmt=_TIME,
        stream=sys.stderr,
    )
    try:
        _refuse_empty(sys.argv[1:])
        status = main()
        if (file := os.environ.get(RECORD)) and not int(os.environ.get("RANK", 0)):
            record.write(file)
    except RecipeError as error:
        _fail(str(error), error.status)
    except OSError as error:
        if error.errno not in _REFUSALS and (error.errno not in _WRONG_PATHS or error.filename is None):
            raise
        _fail(_refusal(error))
    sys.exit(status or 0)


def name_lines(name: str) -> None:
    """Begin every message of the log with a name: of several jobs on one screen, which one says it."""
    formatter = logging.Formatter(_FORMAT.replace("%(message)s", f"{name.replace('%', '%%')}: %(message)s"), _TIME)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(formatter)


def shard(value: str) -> tuple[int, int]:
    """(I, N) of a flag `--shard I/N`, the I-th of N parts, counted from 1; `I-of-N`, as Snakemake writes it, is the
    same. For argparse."""
    match = re.fullmatch(r"(\d+)(?:/|-of-)(\d+)", value)
    number, count = map(int, match.groups()) if match else (0, 0)
    if not 1 <= number <= count:
        raise argparse.ArgumentTypeError(f"{value!r}: expected I/N with I from 1 to N, e.g. 2/4")
    return number, count


ROLES = ("train", "valid", "test")  # of sets, as flags


def add_set_flags(parser: argparse.ArgumentParser) -> None:
    """Add --train, --valid and --test, each of which takes any number of NAME=FILE."""
    for role in ROLES:
        parser.add_argument(
            f"--{role}", nargs="*", type=named_file, default=[], metavar="NAME=FILE", help=f"{role} sets"
        )


def named_sets(args: argparse.Namespace) -> list[tuple[str, str, str]]:
    """(role, name, file) of all that these flags name."""
    return [(role, name, file) for role in ROLES for name, file in getattr(args, role)]


def named_file(value: str) -> tuple[str, str]:
    """(name, file) of a flag NAME=FILE. For argparse."""
    name, equals, file = value.partition("=")
    if not (name and equals and file):
        raise argparse.ArgumentTypeError(f"{value!r}: expected NAME=FILE, e.g. home=home.jsonl")
    return name, file


def _share_processors() -> None:
    """Let PyTorch's threads sleep soon while they wait for each other. By default they keep their processors busy, and
    beside other work a training step took five times as long; alone it is as fast. To be called before torch loads."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def _refuse_empty(arguments: Sequence[str]) -> None:
    """RecipeError for a flag without a value, as of a variable of the shell that is not set: a path that is empty would
    be the working directory, or no file at all."""
    for flag, value in pairwise([*arguments, "end"]):
        if flag.startswith("--") and (value == "" or (flag.endswith("=") and "=" not in flag[:-1])):
            raise RecipeError(f"{flag.rstrip('=')}: its value is empty; give one, or leave the flag out")
    if "" in arguments:
        place = arguments.index("")
        behind = f", behind {arguments[place - 1]}," if place else ""
        raise RecipeError(f"argument {place + 1}{behind} is empty; give a value")


def _fail(message: str, status: int = RecipeError.status) -> None:
    print(f"{os.path.basename(sys.argv[0])}: error: {message}", file=sys.stderr)
    sys.exit(status)


def _refusal(error: OSError) -> str:
    """What could not be read or written, why, and what to do. A write that fails does not say of which file."""
    message = f"{error.filename or 'a file'}: {error.strerror}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        folder = os.path.dirname(os.path.abspath(error.filename or "file"))
        message += f" ({shutil.disk_usage(folder).free / 1e9:.1f} GB free in {folder}); make room"
    elif error.errno in _WRONG_PATHS:
        return f"{message}; name another path"
    else:
        message += "; check permissions and mounts of its folder"
    return f"{message}, then start again: what is finished is kept"
