"""The command line, files, and `compatible` mode: agreement with the published normalizer."""

import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe import normalize as package
from recipe.files import RecipeError
from recipe.normalize import VERSIONS, compatible, normalize_file, normalizer, whisper
from recipe.normalize.compatible_numbers import read_cardinal, read_digits, read_numbers, write_numerals

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "normalizer"
FILE_RESULTS = {entry["case"]: entry for entry in json.loads((GOLDEN / "files" / "results.json").read_text("utf-8"))}

# Where the published script is wrong, ours is right or refuses the file.
OURS = {
    "bom": "a1\t你 好\na2\t世 界\n",
    "ideographic_space_sep": "a1\u3000你好\u3000世界\t\n",  # one key, as in every stage
    "cr_inside": "a1\t你 好 世 界\na2\thello\n",
    "long_digit_run_4301": "a1\t" + " ".join("1" * 4301) + "\n",
}
REFUSED = {"bad_utf8": ":1: byte 4", "surrogate_bytes": ":1: byte 4"}


def table(name: str) -> list[list[str]]:
    lines = (GOLDEN / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines[1:]]


def tokens(text: str) -> list[list[str]]:
    return [line.split() for line in text.split("\n")]


def words(text: str) -> list[str]:
    return text.split()


def mismatches(rows: list[list[str]], normalize, expected: int = 2) -> list[str]:
    return [
        f"{row[1]!r}: expected {row[expected]!r}, got {normalize(row[1])!r}"
        for row in rows
        if normalize(row[1]).split() != row[expected].split()
    ]


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, ROOT / "scripts" / "normalize.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


# --- agreement with the published normalizer ---


def test_every_untagged_line_agrees():
    wrong = mismatches([row for row in table("golden_dev.tsv") if not row[3]], compatible.normalize)
    assert not wrong, "\n".join(wrong)


def test_lines_that_the_published_normalizer_gets_wrong_agree_too():
    wrong = mismatches([row for row in table("golden_dev.tsv") if row[3]], compatible.normalize)
    assert not wrong, "\n".join(wrong)


def test_japanese_readings_agree():
    pytest.importorskip("pyopenjtalk")
    wrong = mismatches(table("golden_kana_dev.tsv"), normalizer("compatible", kana=True))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("case", sorted(FILE_RESULTS))
def test_file_cases(case, tmp_path):
    source, target = GOLDEN / "files" / f"{case}.in", tmp_path / "out"
    if case in REFUSED:
        with pytest.raises(RecipeError, match=REFUSED[case]):
            normalize_file(source, target, "compatible")
        assert not target.exists()
        return
    normalize_file(source, target, "compatible")
    assert tokens(target.read_bytes().decode()) == tokens(OURS.get(case, FILE_RESULTS[case]["out"]))


FRAGMENTS = (
    *"零一二三四五六七八九两十百千万亿点年月日号元块个,.:;'!?%$£-0123456789",
    *words("one two five ten fifteen twenty thirty hundred thousand million point and half minus plus double oh zero"),
    *words("second third fifths per cent percent dollars cents it's don't gonna 's n't mr. st. uh um hmm u.s. colour"),
    *("1,000", "9:15", "1.5", "007", "[x]", "<y>", "é", "½", "‘", "…", "the", "我们"),
)
MESSY = st.lists(st.tuples(st.sampled_from(FRAGMENTS), st.sampled_from(["", " "])), max_size=12).map(
    lambda parts: "".join(fragment + space for fragment, space in parts)
)


@settings(max_examples=500)
@given(MESSY)
def test_english_is_the_librarys_own_normalizer(text):
    library = whisper.library().EnglishTextNormalizer(whisper.spelling())
    assert whisper.english(text).split() == library(text).split()


@settings(max_examples=200)
@given(MESSY)
def test_basic_is_the_librarys_own_normalizer(text):
    assert whisper.basic(text).split() == whisper.library().BasicTextNormalizer()(text).split()


@settings(max_examples=200)
@given(st.text(alphabet="我们三天好,!?:;，。！？：；、' -~", min_size=1))
def test_the_short_cut_for_han_alone_changes_nothing(text):
    shortened = compatible._PUNCTUATION.sub(" ", text)
    assert shortened.split() == whisper.english(text).split()


@pytest.mark.parametrize(
    ("number", "reading"),
    [("2", "二"), ("10", "十"), ("112", "一百一十二"), ("2002", "两千零二"), ("22000", "两万两千"), ("10.5", "十点五")],
)
def test_cardinals_are_read_as_published(number, reading):
    assert read_cardinal(number) == reading


def test_digit_strings_are_read_one_by_one():
    assert read_digits("2024") == "二零二四"


def test_a_number_is_read_at_the_first_place_where_it_occurs():
    assert read_numbers("15 5个") == "一五 五个"


@pytest.mark.parametrize(
    ("numerals", "written"),
    [
        ("三百五", "350"),
        ("三千五", "3005"),
        ("十五", "15"),
        ("一百零二万", "120000"),
        ("两个", "两个"),
        ("五千米", "5千米"),
    ],
)
def test_numerals_are_written_as_published(numerals, written):
    assert write_numerals(numerals) == written


# --- any line ---

LONG_LINES = {
    "mixed": "今天买了3个苹果，花了 $5.50 at nine fifteen ",
    "digits": "1234567890",
    "numbers": "1 ",
    "counted": "12个",
    "open brackets": "< [ ",
    "brackets": "<a> ",
    "fillers": "uh ",
    "words": "twenty one ",
    "letters": "a",
    "numerals": "三百二十五万",
    "units": "万",
    "periods": ".",
    "apostrophes": "a 's ",
    "marks": "e\u0301",
}


@pytest.mark.parametrize("name", LONG_LINES)
@pytest.mark.parametrize("mode", VERSIONS)
def test_long_lines_take_linear_time(mode, name):
    """Not timed: what was quadratic would take minutes."""
    unit = LONG_LINES[name]
    normalizer(mode)(unit * (100_000 // len(unit)))


@settings(max_examples=200)
@given(st.text())
def test_compatible_takes_any_text(text):
    output = compatible.normalize(text)
    assert output == " ".join(output.split())


# --- files ---


def test_keys_order_and_duplicates_stay(tmp_path):
    (tmp_path / "in").write_text("b x\n\na  Hello there\nkey\nb y\n", encoding="utf-8")
    assert normalize_file(tmp_path / "in", tmp_path / "out", "compatible") == 4
    assert (tmp_path / "out").read_text(encoding="utf-8") == "b\tx\na\thello there\nkey\t\nb\ty\n"


@pytest.mark.parametrize("mode", VERSIONS)
def test_the_bytes_do_not_depend_on_the_number_of_workers(mode, tmp_path, monkeypatch):
    monkeypatch.setattr(package, "_SMALL", 0)
    monkeypatch.setattr(package, "_BATCH", 7)
    rows = table("golden_dev.tsv")
    random.Random(0).shuffle(rows)
    (tmp_path / "in").write_text("".join(f"u{n} {row[1]}\n" for n, row in enumerate(rows[:300])), encoding="utf-8")
    for workers in (1, 2, 3):
        normalize_file(tmp_path / "in", tmp_path / f"out{workers}", mode, workers=workers)
    outputs = {(tmp_path / f"out{workers}").read_bytes() for workers in (1, 2, 3)}
    assert len(outputs) == 1


@pytest.mark.parametrize("mode", VERSIONS)
def test_one_text_is_normalized_as_a_line_of_a_file(tmp_path, mode):
    (tmp_path / "in").write_text("a It’s five thousand, 百分之五。\n", encoding="utf-8")
    normalize_file(tmp_path / "in", tmp_path / "out", mode)
    normalized = package.normalize("It’s five thousand, 百分之五。", mode)
    assert (tmp_path / "out").read_text(encoding="utf-8") == f"a\t{normalized}\n"
    assert package.normalize("It’s\nfive thousand,\n百分之五。", mode) == normalized


def test_a_text_that_cannot_be_normalized_is_an_error_that_shows_its_beginning(monkeypatch):
    def fail(text):
        raise ValueError("too long")

    monkeypatch.setattr(package, "normalizer", lambda mode, **options: fail)
    with pytest.raises(RecipeError, match=r"'x{60}' cannot be normalized \(too long\)"):
        package.normalize("x" * 100, "faithful")
    monkeypatch.undo()
    with pytest.raises(RecipeError, match="no normalizer mode 'none'"):
        package.normalize("x", "none")


def test_an_error_in_a_worker_names_the_line(tmp_path, monkeypatch):
    def fail(text):
        raise ValueError("too long")

    monkeypatch.setattr(package, "normalizer", lambda mode, **options: fail)
    with pytest.raises(RecipeError, match=r"in:3: key 'k' cannot be normalized \(too long\)"):
        package._normalize_batch("in", "compatible", False, False, [(3, "k", "x", None)])


def test_input_and_output_must_be_two_files(tmp_path):
    (tmp_path / "in").write_text("a x\n", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    for target in ("in", "link"):
        with pytest.raises(RecipeError, match="is also the input"):
            normalize_file(tmp_path / "in", tmp_path / target, "compatible")
    assert (tmp_path / "in").read_text(encoding="utf-8") == "a x\n"


def test_a_missing_package_for_japanese_is_reported_before_anything_is_written(tmp_path, monkeypatch):
    from recipe.normalize import kana

    kana._library.cache_clear()
    monkeypatch.setitem(sys.modules, "pyopenjtalk", None)
    (tmp_path / "in").write_text("a x\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="--group kana"):
        normalize_file(tmp_path / "in", tmp_path / "out", "compatible", kana=True)
    assert not (tmp_path / "out").exists()


def test_options_that_do_not_exist_are_refused():
    with pytest.raises(RecipeError, match="no normalizer mode 'strict'"):
        normalizer("strict")
    with pytest.raises(RecipeError, match="compatible mode"):
        normalizer("faithful", kana=True)


def test_raw_mode_changes_nothing_but_white_space(tmp_path):
    text = "<b>Twenty-Five</b>, ２５！ cafe\u0301 體"
    (tmp_path / "in").write_text(f"\ufeffa\t{text}  \u3000 {text}\x00x\r\nb\n", encoding="utf-8")
    normalize_file(tmp_path / "in", tmp_path / "out", "raw")
    assert (tmp_path / "out").read_text(encoding="utf-8") == f"a\t{text} {text} x\nb\t\n"


def test_the_words_of_a_list_are_normalized_one_by_one(tmp_path):
    (tmp_path / "in").write_text("a twenty, five，Colour, ...\n*\n", encoding="utf-8")
    result = run("--mode", "faithful", "--lists", tmp_path / "in", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out").read_text(encoding="utf-8") == "a\t20, 5, color\n*\t\n"


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_pipe_is_read_like_a_file(tmp_path, compress):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "in").write_bytes(compress(b"\xef\xbb\xbf" + b"a twenty five\nb x\n" * 10_000))
    with open(tmp_path / "in", "rb") as source:
        writer = subprocess.Popen(["tee", tmp_path / "pipe"], stdin=source, stdout=subprocess.DEVNULL)
    assert normalize_file(tmp_path / "pipe", tmp_path / "out", "faithful", workers=2) == 20_000
    assert writer.wait() == 0
    assert (tmp_path / "out").read_text().startswith("a\t25\nb\tx\n")


def test_the_command_line_writes_key_tab_text(tmp_path):
    (tmp_path / "in").write_text("a twenty-five 个\n", encoding="utf-8")
    result = run("--mode", "faithful", tmp_path / "in", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out").read_text(encoding="utf-8") == "a\t25 个\n"


def test_the_command_line_reports_one_line_and_status_2(tmp_path):
    result = run("--mode", "compatible", tmp_path / "none", tmp_path / "out")
    assert result.returncode == 2
    assert result.stderr.strip() == f"normalize.py: error: {tmp_path / 'none'}: no such file"
