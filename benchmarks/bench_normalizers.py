"""What text normalizers of others make of the same pairs, beside ours: one table.

Pairs that mean the same should be equal after normalization, pairs that must differ should not; lines a second are
those of one process, without loading. The pairs are tab-separated files with columns `lang` (or `kind`, which begins
with it), `a` and `b`; by default those of the tests.

The libraries live in an environment of their own, made by

    uv venv --python 3.11 /tmp/others
    uv pip install --python /tmp/others/bin/python transformers regex wetext num2words text2num cn2an
    uv pip install --python /tmp/others/bin/python nemo_text_processing

and `--others /tmp/others/bin/python` names it. What it lacks is said, and left out. A library is asked for no
language that it does not have. All of theirs go through Whisper's normalizer afterwards (its English one for English,
its basic one otherwise), which takes case and punctuation away. NeMo's grammars take minutes to build, and are kept in
the folder that $NEMO_GRAMMARS names; `--only` leaves others out. WeTextProcessing has wetext's grammars, which wetext
runs without building them.
"""

import argparse
import csv
import functools
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "normalizer"
LANGUAGES = ("en", "zh", "ja", "other")
NEMO = ("en", "zh", "ja", "de", "es", "fr")  # it has more, whose grammars take long to build
LIMIT = 1800  # seconds for a library

Normalize = Callable[[str], str]


@functools.cache
def whisper(language: str) -> Normalize:
    from transformers.models.whisper import english_normalizer

    if language != "en":
        return english_normalizer.BasicTextNormalizer(split_letters=language in ("zh", "ja"))
    spelling = json.loads((ROOT / "scripts/recipe/normalize/english_spelling.json").read_text(encoding="utf-8"))
    return english_normalizer.EnglishTextNormalizer(spelling)


def ours(mode: str) -> Callable[[str], Normalize]:
    def of(language: str) -> Normalize:
        sys.path.insert(0, str(ROOT / "scripts"))
        from recipe.normalize import normalizer

        return normalizer(mode, language=language)

    return of


def wetext(operator: str) -> Callable[[str], Normalize | None]:
    def of(language: str) -> Normalize | None:
        from wetext import Normalizer

        if language not in ("en", "zh", "ja") or (operator == "itn" and language == "en"):
            return None
        return Normalizer(lang=language, operator=operator).normalize

    return of


def nemo(kind: str) -> Callable[[str], Normalize | None]:
    def of(language: str) -> Normalize | None:
        from nemo_text_processing.inverse_text_normalization.inverse_normalize import InverseNormalizer
        from nemo_text_processing.text_normalization.normalize import Normalizer

        if language not in NEMO:
            return None
        grammars = os.environ.get("NEMO_GRAMMARS")
        if kind == "tn":
            work = Normalizer(input_case="cased", lang=language, cache_dir=grammars).normalize
        else:
            work = InverseNormalizer(lang=language, cache_dir=grammars).inverse_normalize
        return functools.partial(work, verbose=False)

    return of


def num2words(language: str) -> Normalize | None:
    import num2words as library

    if language not in library.CONVERTER_CLASSES:
        return None

    def words(match: re.Match) -> str:
        return library.num2words(match[0].replace(",", ""), lang=language)

    return lambda text: re.sub(r"\d{1,15}(?:,\d{3})*(?:\.\d+)?", words, text)


def text2num(language: str) -> Normalize | None:
    from text_to_num import alpha2digit

    known = ("en", "fr", "es", "pt", "de", "nl", "it", "da")
    return functools.partial(alpha2digit, lang=language, threshold=0) if language in known else None


def cn2an(language: str) -> Normalize | None:
    import cn2an as library

    return functools.partial(library.transform, method="cn2an") if language == "zh" else None


OURS = {"faithful": ours("faithful"), "compatible (as published)": ours("compatible")}
OTHERS: dict[str, Callable[[str], Normalize | None]] = {
    "Whisper's (transformers)": lambda language: str,
    "wetext TN": wetext("tn"),
    "wetext ITN": wetext("itn"),
    "num2words": num2words,
    "text2num": text2num,
    "cn2an": cn2an,
    "NeMo TN": nemo("tn"),
    "NeMo ITN": nemo("itn"),
}


def read_pairs(path: Path) -> list[tuple[str, str, str]]:
    """(language, a, b) of each line."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(_language(row), row["a"], row["b"]) for row in rows]


def _language(row: dict[str, str]) -> str:
    if "lang" in row or "kind" in row:
        return row.get("lang") or row["kind"].partition("_")[0]
    return "zh" if re.search("[\u4e00-\u9fff]", row["a"] + row["b"]) else "en"


def normalize_all(name: str, lines: list[tuple[str, str]]) -> dict:
    """Normalized texts, None for lines of languages that it does not have, and lines a second."""
    make, texts, failed, seconds = {**OURS, **OTHERS}[name], [], 0, 0.0
    made: dict[str, Normalize | None] = {}
    for language, text in lines:
        if language not in made:
            made[language] = make(language)
            _run(made[language], text)  # loads what it needs
        start = time.perf_counter()
        normalized, wrong = _run(made[language], text)
        if name in OTHERS and normalized is not None:
            normalized = whisper(language)(normalized)
        seconds += time.perf_counter() - start
        failed += wrong
        texts.append(normalized)
    done = sum(text is not None for text in texts)
    return {"texts": texts, "failed": failed, "rate": done / seconds if done else 0}


def _run(work: Normalize | None, text: str) -> tuple[str | None, bool]:
    """What a library makes of a text, and whether it raised an error: then the text stays, and is counted."""
    if work is None:
        return None, False
    try:
        return work(text), False
    except Exception:  # noqa: BLE001 - whatever it may be, it is theirs, and counted
        return text, True


def ask(python: str, name: str, lines: list[tuple[str, str]]) -> dict | str:
    """`normalize_all` in a process of that Python, or why there is nothing."""
    command = [python, __file__, "--worker", name]
    done = subprocess.run(command, input=json.dumps(lines), capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no output"])[-1]
    return json.loads(done.stdout.splitlines()[-1])


def row(name: str, pairs: list, differ: list, found: dict) -> str:
    """A line of the table: by language, the share of pairs that are equal and of those that must differ and do not."""
    texts = iter(found["texts"])
    counts: Counter = Counter()
    for kind, listed in (("same", pairs), ("differ", differ)):
        for language, _, _ in listed:
            one, other = next(texts), next(texts)
            group = language if language in LANGUAGES else "other"
            if one is not None:
                counts[kind, group] += 1
                counts[kind, group, "equal"] += one.split() == other.split()
    cells = []
    for kind in ("same", "differ"):
        for group in LANGUAGES:
            total, equal = counts[kind, group], counts[kind, group, "equal"]
            cells.append((f"{100 * equal / total:.1f}" if kind == "same" else f"{equal}/{total}") if total else "")
    return f"| {name} | {' | '.join(cells)} | {found['rate']:.0f} | {found['failed']} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, default=GOLDEN / "pairs_dev.tsv")
    parser.add_argument("--must-differ", type=Path, default=GOLDEN / "must_differ_dev.tsv")
    parser.add_argument("--others", default=sys.executable, metavar="PYTHON", help="that has the others' libraries")
    parser.add_argument("--only", nargs="+", choices=[*OURS, *OTHERS], default=[*OURS, *OTHERS], metavar="NAME")
    parser.add_argument("--worker", choices=[*OURS, *OTHERS], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        found = normalize_all(arguments.worker, json.load(sys.stdin))
        print(json.dumps(found))
        return
    pairs, differ = read_pairs(arguments.pairs), read_pairs(arguments.must_differ)
    lines = [(language, text) for language, a, b in pairs + differ for text in (a, b)]
    heads = [f"{group} equal, %" for group in LANGUAGES] + [f"{group} collapsed" for group in LANGUAGES]
    print(f"| | {' | '.join(heads)} | lines/s | errors |\n|{'---|' * (len(heads) + 3)}")
    for name in arguments.only:
        found = ask(sys.executable if name in OURS else arguments.others, name, lines)
        print(f"{name}: left out ({found})" if isinstance(found, str) else row(name, pairs, differ, found), flush=True)


if __name__ == "__main__":
    main()
