"""Whether the program that is to serve a converted directory writes what the recipe writes: both decode a sample.

A conversion can be right tensor by tensor and still be served wrongly, by another front end, prompt or number of audio
tokens. So the runtime itself decodes 16 of the bundled recordings, in the environment where it is installed, and
decode.py decodes the same ones with the model that was converted. Without the runtime nothing is proven, and the log
says so.
"""

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import recipe
from recipe.cli import RECORD
from recipe.convert.runtimes import LLAMA_CPP, LLAMA_CPP_PROGRAM
from recipe.files import RecipeError
from recipe.model import directory as kinds
from recipe.settings.decode import FUNASR, TRANSFORMERS, VLLM
from recipe.text import tables

logger = logging.getLogger(__name__)

SCRIPTS = Path(recipe.__file__).resolve().parents[1]
SAMPLE = tuple(SCRIPTS.parent / "data" / name / "wav.scp" for name in ("test", "test_general"))
DECODE_EXPORT = "decode_export.py"
PER_SET = 8  # recordings of the sample, out of each of its sets
# Sums in another order, or in 16 bits on a GPU, may turn a text where two tokens are all but equally likely.
MAY_DIFFER = 1


@dataclass(frozen=True)
class Runtime:
    """What decodes directories of one kind: a script that knows decode.py's flags --model-dir, --scp-file and
    --output-file, called with `arguments`. It runs where the Python package `package` is installed, and the program is
    there whose place the environment variable `program` says."""

    package: str
    arguments: tuple[str, ...]
    script: str = "decode.py"
    may_differ: int = MAY_DIFFER  # texts of the sample's 16 that may be others than the recipe's
    program: str | None = None


RUNTIMES: Mapping[str, Runtime] = {
    kinds.HF: Runtime("transformers", ("--engine", TRANSFORMERS)),
    kinds.TOOLKIT: Runtime("funasr", ("--engine", FUNASR)),
    kinds.VLLM: Runtime("vllm", ("--engine", VLLM)),
    # Its front end is another, and its 8-bit weights are not the model's: of 218 texts 205 and more are the recipe's.
    kinds.SHERPA_ONNX: Runtime("sherpa_onnx", ("--runtime", kinds.SHERPA_ONNX), DECODE_EXPORT, may_differ=4),
    kinds.GGUF: Runtime("gguf", ("--runtime", LLAMA_CPP), DECODE_EXPORT, program=LLAMA_CPP_PROGRAM),
}


@dataclass(frozen=True)
class ModelDirectory:
    """A directory of a kind of `RUNTIMES`, called `name` in what is said of it, and the interpreter of the environment
    in which its runtime may be installed."""

    path: Path
    kind: str
    name: str
    python: str = sys.executable

    @property
    def runtime(self) -> Runtime:
        return RUNTIMES[self.kind]


def prove(expected: ModelDirectory, made: ModelDirectory, rounded: bool = False) -> bool:
    """Let the runtimes of two directories decode the sample, and compare the texts. True if they agree; False, and a
    warning with the reason, if that could not be tried.

    RecipeError if more texts differ than may with the runtime of `made` (all may where weights were `rounded`: somebody
    wanted that, and the log tells how many do), if a runtime that is there cannot decode its directory, or if an
    interpreter cannot be started.
    """
    for directory in (expected, made):
        if lacking := _lacking(directory):
            not_proven(made, lacking)
            return False
    if lost := [table for table in SAMPLE if not table.is_file()]:
        not_proven(made, f"the bundled recordings are missing ({lost[0]})")
        return False
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        sample = Path(folder) / "wav.scp"
        sample.write_text("".join(_sample()), encoding="utf-8")
        texts, found = (_texts(one, sample, Path(folder) / str(i)) for i, one in enumerate((expected, made)))
    if not any(texts.values()):
        not_proven(made, f"{expected.name} has no text for any of {len(texts)} recordings")
        return False
    _compare(texts, found, expected, made, len(texts) if rounded else made.runtime.may_differ)
    return True


def not_proven(made: ModelDirectory, reason: str) -> None:
    """Say that nobody knows whether a directory is decoded as it should be, and why."""
    logger.warning("%s: NOT PROVEN that it is served as decode.py decodes it: %s", made.name, reason)


def _lacking(directory: ModelDirectory) -> str | None:
    """What is not there to decode a directory with, in words; None if all is."""
    runtime = directory.runtime
    if not _is_installed(runtime.package, directory.python):
        return f"{runtime.package}, which decodes {directory.name}, is not installed for {directory.python}"
    if runtime.program and not os.environ.get(runtime.program):
        return f"the environment variable {runtime.program} names no program that decodes {directory.name}"
    return None


def _is_installed(package: str, python: str) -> bool:
    """Whether an interpreter finds a package; nothing is imported."""
    find = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    try:
        return subprocess.run([python, "-c", find], check=False).returncode == 0
    except OSError as error:
        raise RecipeError(f"{python}: no Python that could be started ({error.strerror})") from None


def _sample() -> list[str]:
    """Lines of a wav.scp: evenly spaced utterances of the bundled test sets."""
    lines = []
    for table in SAMPLE:
        recordings = list(tables.read_map(table).items())
        chosen = recordings[:: len(recordings) // PER_SET][:PER_SET]
        lines += [f"{table.parent.name}-{key} {table.parent / place}\n" for key, place in chosen]
    return lines


def _texts(directory: ModelDirectory, sample: Path, output: Path) -> dict[str, str]:
    """What the directory's runtime makes of the sample, by key."""
    runtime = directory.runtime
    files = ["--model-dir", directory.path, "--scp-file", sample, "--output-file", output]
    command = [directory.python, SCRIPTS / runtime.script, *runtime.arguments, *files]
    logger.info("decoding a sample with %s (%s)", directory.name, runtime.package)
    # What a job was made with is said of the conversion, not of this.
    environment = {name: value for name, value in os.environ.items() if name != RECORD}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        called = " ".join(map(str, command))
        raise RecipeError(f"{directory.name}: {runtime.package} cannot decode it ({''.join(last)}); tried: {called}")
    return tables.read_map(output)


def _compare(
    texts: Mapping[str, str],
    others: Mapping[str, str],
    expected: ModelDirectory,
    made: ModelDirectory,
    may_differ: int,
) -> None:
    """Say how many texts are the same, and which are not; RecipeError if these are more than `may_differ`."""
    runtime, differing = made.runtime, [key for key, text in texts.items() if others.get(key) != text]
    for key in differing:
        logger.warning("%s: %r by %s, %r by %s", key, others.get(key), made.name, texts[key], expected.name)
    same = f"{len(texts) - len(differing)} of {len(texts)} texts"
    if len(differing) > may_differ:
        raise RecipeError(f"{made.name}: decoded by {runtime.package}, only {same} are those of {expected.name}")
    logger.info("%s: proven, decoded by %s %s are those of %s", made.name, runtime.package, same, expected.name)
