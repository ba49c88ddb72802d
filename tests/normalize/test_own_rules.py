"""A user's own rules: spellings that count as one, fillers that do not count; and what each step changed."""

import itertools
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipe import normalize as package
from recipe.files import RecipeError
from recipe.normalize import VERSIONS, normalize, normalize_file, normalizer, own_rules
from recipe.normalize.explain import HEADER, Change
from recipe.normalize.phrases import Phrases

ROOT = Path(__file__).resolve().parents[2]
MODES = ("faithful", "compatible")
FILE = """\
# names, and what is said for them
\ufeffA I = AI = Artificial Intelligence
;; colloquial

going to = off to = heading to
北京大学 = 北大   ;; a university
嗯 = 恩 = 呣 # a comment
C# = see sharp
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "own.txt").write_text(FILE.replace("\ufeff", ""), encoding="utf-8")
    return tmp_path / "own.txt"


def rules_of(tmp_path, text, mode="faithful", fillers=()):
    (tmp_path / "rules.txt").write_text(text, encoding="utf-8")
    return own_rules(mode, equivalent=tmp_path / "rules.txt", fillers=fillers)


class TestEquivalent:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("We were heading to an AI talk.", "we were going to an a i talk"),
            ("Artificial intelligence, OFF TO school", "a i going to school"),
            ("他在北大念书，恩", "他 在 北 京 大 学 念 书 嗯"),
            ("a trailing tail", "a trailing tail"),  # no part of a word is one
            ("artificial light", "artificial light"),  # nor a part of a spelling
            ("去北京大学", "去 北 京 大 学"),
        ],
    )
    def test_all_spellings_take_the_first_form(self, file, mode, text, expected):
        assert normalize(text, mode, rules=own_rules(mode, equivalent=file)) == expected

    def test_spellings_are_written_as_the_mode_writes_them(self, file):
        assert normalize("I like See Sharp", "faithful", rules=own_rules("faithful", equivalent=file)) == "i like c#"

    def test_the_longest_spelling_counts(self, tmp_path):
        rules = rules_of(tmp_path, "pass = gate\nharbor bridge = gate north\nupwards = north\n")
        text = "gate south, gate north, north gate"
        assert normalize(text, "faithful", rules=rules) == "pass south harbor bridge upwards pass"

    def test_a_part_of_a_form_may_be_a_spelling_of_something_else(self, tmp_path):
        rules = rules_of(tmp_path, "A I = AI\neye = I\n")
        for _ in range(2):
            assert normalize("AI and I", "faithful", rules=rules) == "a i and eye"

    @pytest.mark.parametrize("mode", MODES)
    def test_what_is_said_with_the_modes_own_rules_alike_changes_nothing(self, tmp_path, mode):
        rules = rules_of(tmp_path, "gonna = going to\n嗯嗯 = 嗯 嗯\n", mode)
        for text in ("I'm gonna go", "we are going to go", "嗯嗯 好"):
            assert normalize(text, mode, rules=rules) == normalize(text, mode)

    @pytest.mark.parametrize(
        ("lines", "told"),
        [
            (
                "pier = dock\nwharf = dock\n",
                r"rules.txt:2: 'dock' has the form 'wharf' here, and by line 1 \('dock'\) the",
            ),
            ("pier = dock\n\nquay = pier\n", "rules.txt:3: 'pier' has the form 'quay' here"),
            ("pier = dock\ndock = pier\n", "rules.txt:2: 'dock' has the form 'dock' here"),
            ("pier = Dock\n# x\nwharf = DOCK!\n", r"rules.txt:3: 'DOCK!' .* \('Dock'\)"),
            ("pier\n", "rules.txt:1: 'pier', expected FORM = SPELLING"),
            ("\npier =\n", "rules.txt:2: 'pier =', expected FORM"),
            ("= dock\n", "rules.txt:1: .*expected FORM"),
            ("[pier] => [dock] / [] __ []\n", "rules.txt:1: rules with =>"),
        ],
    )
    def test_what_cannot_be_is_told_with_its_line(self, tmp_path, lines, told):
        with pytest.raises(RecipeError, match=told):
            rules_of(tmp_path, lines)

    def test_bytes_that_are_not_utf8_and_a_missing_file_are_told(self, tmp_path):
        (tmp_path / "bytes.txt").write_bytes("嗯 = 恩\n".encode() + "码头 = 港口\n".encode("gbk"))
        with pytest.raises(RecipeError, match=r"bytes\.txt:2: byte 1 .*not UTF-8"):
            own_rules("faithful", equivalent=tmp_path / "bytes.txt")
        with pytest.raises(RecipeError, match=r"none\.txt: no such file"):
            own_rules("faithful", equivalent=tmp_path / "none.txt")

    def test_a_form_that_a_mode_makes_nothing_of_goes_with_its_spellings_and_is_told(self, tmp_path, caplog):
        rules = rules_of(tmp_path, "uh = euh = ...\n", "compatible")
        assert normalize("euh well", "compatible", rules=rules) == "well"
        assert "rules.txt:1: 'uh' is nothing in compatible mode" in caplog.text
        assert normalize("euh well", "faithful", rules=rules_of(tmp_path, "uh = euh = ...\n")) == "uh well"
        assert "rules.txt:1: '...' is nothing in faithful mode, and never met" in caplog.text

    def test_rules_without_an_end_are_told_with_the_text(self, tmp_path):
        rules = rules_of(tmp_path, "oak elm ash = ash\noak elm oak oak = oak oak elm\n")
        told = (
            r"'oak oak oak ash' cannot be normalized \(the rules of .*rules\.txt change it without end, now to 'oak elm"
        )
        with pytest.raises(RecipeError, match=told):
            normalize("oak oak oak ash", "faithful", rules=rules)
        assert normalize("ash, elm", "faithful", rules=rules) == "oak elm ash elm"

    def test_a_new_content_of_the_file_counts(self, tmp_path):
        texts = [
            normalize("dock", "faithful", rules=rules_of(tmp_path, f"{form} = dock\n")) for form in ("pier", "quay")
        ]
        assert texts == ["pier", "quay"]


class TestFillers:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Uh, turn um it off", "turn it off"),
            ("嗯那个嗯好的", "那 个 好 的"),
            ("You know, he left", "he left"),
            ("you left, I know", "you left i know"),
            ("Umbrella", "umbrella"),
            ("Um. 嗯", ""),
        ],
    )
    @pytest.mark.parametrize("mode", MODES)
    def test_are_left_out(self, mode, text, expected):
        rules = own_rules(mode, fillers=["uh", "um", "嗯", "You know"])
        assert normalize(text, mode, rules=rules) == expected

    def test_all_spellings_of_one_are_left_out(self, file):
        for filler in ("嗯", "恩"):
            rules = own_rules("faithful", equivalent=file, fillers=[filler])
            assert normalize("恩 嗯 好", "faithful", rules=rules) == "好"

    def test_numbers_that_one_held_apart_are_read_as_the_mode_reads_them(self):
        rules = own_rules("faithful", fillers=["uh"])
        assert normalize("minus uh seven", "faithful", rules=rules) == "-7"

    def test_none_are_off(self):
        assert not own_rules("faithful") and not own_rules("faithful", fillers=["..."])
        assert normalize("uh", "faithful", rules=own_rules("faithful")) == "uh"


WORDS = ["uh", "um", "oh", "I", "AI", "A", "off", "to", "minus", "five", "twenty", "percent", "point", "O.K.", "C#",
         "and", "嗯", "恩", "北大", "北京", "大学", "三", "点", "百分之", "，", ",", "-"]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.sampled_from([" ", "", "，"]))
def test_normalizing_twice_is_normalizing_once(tmp_path_factory, words, between):
    folder = tmp_path_factory.getbasetemp()
    if not (folder / "own.txt").exists():
        (folder / "own.txt").write_text(FILE, encoding="utf-8")
    rules = own_rules("faithful", equivalent=folder / "own.txt", fillers=["uh", "um", "嗯"])
    once = normalize(between.join(words), "faithful", rules=rules)
    assert normalize(once, "faithful", rules=rules) == once


def test_raw_texts_stay_as_they_are(file):
    for more in ({"equivalent": file}, {"fillers": ["uh"]}):
        with pytest.raises(RecipeError, match="raw mode leaves texts as they are"):
            own_rules("raw", **more)


def test_the_time_is_linear_in_the_lines_length(file):
    work = normalizer("faithful", rules=own_rules("faithful", equivalent=file, fillers=["uh"]))

    def seconds(count):
        text = "uh artificial intelligence off 北大 " * count
        start = time.process_time()
        work(text)
        return time.process_time() - start

    seconds(10)
    assert min(seconds(4000) for _ in range(3)) < 10 * max(0.01, min(seconds(1000) for _ in range(3)))


def test_phrases_that_begin_alike_are_told_apart():
    phrases = Phrases({("a", "b", "c"): ("x",), ("a",): (), ("b", "c", "d"): ("y", "z")})
    assert phrases.replace("a b c d a b a b c") == "x d b x"
    assert phrases.replace("b c d b c") == "y z b c"
    assert phrases.replace("") == ""


class TestFiles:
    def run(self, *arguments):
        command = [sys.executable, ROOT / "scripts/normalize.py", *arguments]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True)

    def test_the_command_line(self, tmp_path, file):
        (tmp_path / "in").write_text("a Um, heading to 北大\nb uh\n", encoding="utf-8")
        done = self.run(
            "--mode", "faithful", "--equivalent", file, "--fillers", "uh,um", tmp_path / "in", tmp_path / "out"
        )
        assert done.returncode == 0 and done.stdout == ""
        assert (tmp_path / "out").read_text(encoding="utf-8") == "a\tgoing to 北 京 大 学\nb\t\n"

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["--mode", "raw", "--fillers", "uh"], "raw mode leaves texts as they are"),
            (["--mode", "faithful", "--equivalent", "none.txt"], "none.txt: no such file"),
            (["--mode", "faithful", "--equivalent", "own.txt", "--explain", "own.txt"], "same file as"),
            (["--mode", "faithful", "--explain", "out"], "same file as"),
        ],
    )
    def test_what_is_wrong_is_one_line(self, tmp_path, file, monkeypatch, arguments, told):
        (tmp_path / "in").write_text("a x\n")
        monkeypatch.chdir(tmp_path)
        done = self.run(*arguments, "in", "out")
        assert done.returncode == 2 and told in done.stderr.splitlines()[-1]
        assert not (tmp_path / "out").exists() and file.read_text(encoding="utf-8").startswith("# names")

    def test_hotwords_are_written_by_them_too(self, tmp_path, file):
        (tmp_path / "in").write_text("a AI, um, 北大\n", encoding="utf-8")
        normalize_file(tmp_path / "in", tmp_path / "out", "faithful", lists=True, equivalent=file, fillers=["um"])
        assert (tmp_path / "out").read_text(encoding="utf-8") == "a\ta i, 北 京 大 学\n"

    def test_the_bytes_do_not_depend_on_the_number_of_workers(self, tmp_path, file, monkeypatch):
        monkeypatch.setattr(package, "_SMALL", 0)
        monkeypatch.setattr(package, "_BATCH", 3)
        (tmp_path / "in").write_text("".join(f"u{n} Um, {n} AI 北大\n" for n in range(50)), encoding="utf-8")
        found = []
        for workers in (1, 2):
            changes: list[Change] = []
            more = {"equivalent": file, "fillers": ["um"], "explain": changes.extend, "workers": workers}
            normalize_file(tmp_path / "in", tmp_path / "out", "faithful", **more)
            found.append(((tmp_path / "out").read_bytes(), changes))
        assert found[0] == found[1] and len(found[0][1]) > 100

    def test_an_utterance_that_becomes_empty_is_an_empty_reference(self, tmp_path):
        """As compute_wer counts any other: what is heard in its place is inserted."""
        (tmp_path / "ref").write_text("a uh\nb um\nc turn it on\n")
        (tmp_path / "hyp").write_text("a um\nb on\nc uh turn it\n")
        for name in ("ref", "hyp"):
            normalize_file(tmp_path / name, tmp_path / f"{name}.n", "faithful", fillers=["uh", "um"])
        scoring = [ROOT / "scripts/compute_wer.py", *("ref.n", "hyp.n", "cer.txt", "--json", "score.json"),
                   *("--mode", "faithful", "--fillers", "uh,um")]  # fmt: skip
        subprocess.run([sys.executable, *map(str, scoring)], cwd=tmp_path, check=True, capture_output=True)
        score = json.loads((tmp_path / "score.json").read_text())
        assert score["settings"]["fillers"] == ["uh", "um"]
        assert score["utterances"]["empty_ref"] == 2 and score["utterances"]["scored"] == 3
        assert (score["mer"]["n"], score["mer"]["del"], score["mer"]["ins"]) == (3, 1, 1)
        assert score["ser"]["err"] == 2


class TestExplained:
    TEXT = "Um, it’s twenty-five kilometres, .5 miles, 北大百分之五"

    def changes(self, mode, text, tmp_path, **more):
        (tmp_path / "in").write_text(f"a {text}\nb same\n", encoding="utf-8")
        found: list[Change] = []
        normalize_file(tmp_path / "in", tmp_path / "out", mode, explain=found.extend, **more)
        return found

    def test_each_step_that_changed_the_line_is_told_in_order(self, tmp_path, file):
        found = self.changes("faithful", self.TEXT, tmp_path, equivalent=file, fillers=["um"])
        stages = [change.stage for change in found]
        assert stages[:8] == ["characters", "numbers in digits", "English", "Chinese", "units",
                              "punctuation and spelling", "equivalent", "fillers"]  # fmt: skip
        assert {change.key for change in found} == {"a"}, "b was not changed"
        assert found[0].before == self.TEXT
        assert all(first.after == second.before for first, second in itertools.pairwise(found))
        assert (tmp_path / "out").read_text(encoding="utf-8") == f"a\t{found[-1].after}\nb\tsame\n"
        english = next(change for change in found if change.stage == "English")
        assert "twenty-five" in english.before and "25" in english.after and "it is" in english.after

    @pytest.mark.parametrize("mode", VERSIONS)
    def test_out_is_the_same_with_and_without(self, tmp_path, mode):
        assert self.changes(mode, self.TEXT.replace(" ", "  "), tmp_path)
        explained = (tmp_path / "out").read_bytes()
        normalize_file(tmp_path / "in", tmp_path / "out", mode)
        assert (tmp_path / "out").read_bytes() == explained

    def test_compatible_tells_its_runs(self, tmp_path):
        found = self.changes("compatible", "(He’s) at 九点", tmp_path)
        assert [change.stage for change in found] == ["characters", "other run", "Chinese run"]
        assert found[-1] == Change("a", "Chinese run", "九点", "9 点")

    def test_what_is_normal_already_is_not_told(self, tmp_path):
        assert self.changes("faithful", "好 的 25% and 5 km", tmp_path) == []

    def test_the_page_shows_what_is_printed(self, tmp_path):
        page = (ROOT / "docs/normalization.md").read_text(encoding="utf-8").partition("## Your own rules")[2]
        listed, printed = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
        (tmp_path / "own.txt").write_text(listed, encoding="utf-8")
        (tmp_path / "in").write_text(f"u1 {re.search('- (.*)', printed)[1]}\n", encoding="utf-8")
        options = ["--equivalent", tmp_path / "own.txt", "--fillers", "uh,um", "--explain", "-"]
        done = TestFiles().run("--mode", "faithful", *options, tmp_path / "in", tmp_path / "out")
        assert done.stdout == printed, done.stderr

    def test_as_a_table_and_to_be_read(self, tmp_path):
        (tmp_path / "in").write_text("a It's\t5\nb x\n")
        run = TestFiles().run
        done = run("--mode", "faithful", "--explain", tmp_path / "t.tsv", tmp_path / "in", tmp_path / "out")
        assert done.returncode == 0, done.stderr
        rows = (tmp_path / "t.tsv").read_text().splitlines(keepends=True)
        assert rows == [HEADER, "a\tcharacters\tIt's 5\tit's 5\n", "a\tEnglish\tit's 5\tit is 5\n"]
        done = run("--mode", "faithful", "--explain", "-", tmp_path / "in", tmp_path / "out")
        assert done.stdout == ("a\n  characters\n    - It's 5\n    + it's 5\n  English\n    - it's 5\n    + it is 5\n")
        assert (tmp_path / "out").read_text() == "a\tit is 5\nb\tx\n"
