"""Whether this Python and its packages are those that the recipe needs.

It is asked before anything else is imported, by whatever Python is there: this module reads with Python 3.6, too, and
imports nothing of the recipe.
"""

import importlib.util
import os
import re
import sys

NEEDED = (3, 11)
ACTIVATE = "`. .venv/bin/activate` in the recipe's folder first, after `make setup`"
# What the workflow imports itself, and what its jobs import besides.
PLANNING = ("yaml", "pydantic", "filelock")
JOBS = ("torch", "transformers", "tokenizers", "numpy", "soundfile", "safetensors", "peft", "jinja2", "rapidfuzz")


def wrong_python(version, folder=""):
    """What is wrong with a Python of this version (a tuple), in one line, or nothing; `folder` is an environment that
    it, or another one, began."""
    if version < NEEDED:
        return f"Python {_dotted(version)} is too old, 3.11 or newer is needed; name one: make setup PYTHON=python3.11"
    begun = _begun_by(folder)
    if begun and begun < NEEDED:
        return (
            f"{folder} was begun by Python {_dotted(begun)}, and 3.11 or newer is needed: remove it (rm -r {folder}), "
            "then call make again"
        )
    return ""


def _begun_by(folder):
    """The version of the Python that began an environment, by its pyvenv.cfg; an empty tuple where there is none."""
    file = os.path.join(folder, "pyvenv.cfg")
    if not folder or not os.path.isfile(file):
        return ()
    with open(file, encoding="utf-8", errors="replace") as lines:
        found = re.search(r"^version(?:_info)?\s*=\s*(\d+)\.(\d+)", lines.read(), re.MULTILINE)
    return (int(found.group(1)), int(found.group(2))) if found else ()


def missing_packages(names):
    """Which of these packages are not installed; nothing is imported."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def wrong_environment(names=PLANNING):
    """What is wrong with the environment that this process runs in, in one line, or nothing."""
    place = f"the environment that is active ({sys.prefix})"
    if sys.version_info[:2] < NEEDED:
        return f"{place} has Python {_dotted(sys.version_info[:2])}, 3.11 or newer is needed: {ACTIVATE}"
    missing = missing_packages(names)
    if missing:
        return "{} lacks {}, which the recipe needs: {}".format(place, ", ".join(missing), ACTIVATE)
    return ""


def _dotted(version):
    return ".".join(map(str, version[:2]))
