"""compute_wer.py: the layout and the counts of cer.txt, its policies, and files that are not as they should be."""

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe.files import RecipeError
from recipe.score.align import edits
from recipe.score.cer_txt import aligned_lines, width
from recipe.score.counts import count
from recipe.score.policy import ScoringPolicy
from recipe.score.run import ScoreInputs, score_files
from recipe.score.tokens import Cached, cluster, fold, mixed_tokens, words
from recipe.score.utterance import alignment_json, correct_step

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "compute_wer"
RULE = "=" * 75


def command(*args: object) -> subprocess.CompletedProcess:
    script = [sys.executable, str(ROOT / "scripts" / "compute_wer.py")]
    return subprocess.run([*script, *map(str, args)], capture_output=True, text=True, check=False)


@pytest.fixture
def score(tmp_path):
    """Score two texts (str or bytes) and return the text of cer.txt."""

    def run(ref, hyp, **options) -> str:
        for name, text in (("ref", ref), ("hyp", hyp)):
            (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        inputs = ScoreInputs(str(tmp_path / "ref"), str(tmp_path / "hyp"))
        score_files(inputs, ScoringPolicy(**options), str(tmp_path / "cer.txt"), None, None)
        return (tmp_path / "cer.txt").read_text(encoding="utf-8")

    return run


def line(cer: str, start: str) -> str:
    """The one line of cer.txt that begins with `start`."""
    (found,) = [text for text in cer.splitlines() if text.startswith(start)]
    return found


def counts(ref: str, hyp: str) -> tuple[int, int, int, int]:
    """(correct, substituted, deleted, inserted) of two texts in the mixed tokenization."""
    a, b = mixed_tokens(fold(ref)), mixed_tokens(fold(hyp))
    return tuple(count(len(a), len(b), edits(a, b)))


class TestGoldens:
    """The files that compute-wer 0.2.5 wrote, but for the order of clusters, which it leaves to chance."""

    @pytest.mark.parametrize("name", ["ex1", "ex3"])
    def test_a_file_equals_the_packages(self, score, name):
        cer = score((GOLDEN / f"{name}_ref.txt").read_text("utf-8"), (GOLDEN / f"{name}_hyp.txt").read_text("utf-8"))
        golden = (GOLDEN / f"{name}_sorted_cer.txt").read_text("utf-8")
        ours, theirs = cer.split(RULE), golden.split(RULE)
        assert ours[0] == theirs[0]
        assert sorted(ours[1].splitlines()) == sorted(theirs[1].splitlines())
        assert ours[2] == theirs[2]

    def test_the_totals_equal_and_what_the_package_has_wrong_is_right(self, score):
        ref, hyp = ((GOLDEN / f"ex2_{side}.txt").read_text("utf-8") for side in ("ref", "hyp"))
        ours = score(ref, hyp, extra="ignore").splitlines()
        theirs = (GOLDEN / "ex2_sorted_cer.txt").read_text("utf-8").splitlines()
        assert [text for text in ours if text not in theirs] == [
            "WER: 100.00 % N=0 Cor=0 Sub=0 Del=0 Ins=5",  # text where there was none: not 0 %
            "SER -> 80.00 % N=5 Cor=1 Err=4 ML=1 MH=1",  # nor correct; and one hypothesis is missing
        ]

    def test_an_extra_hypothesis_is_an_error_that_names_it(self, score):
        ref, hyp = ((GOLDEN / f"ex2_{side}.txt").read_text("utf-8") for side in ("ref", "hyp"))
        with pytest.raises(RecipeError, match=r"1 keys are not in .*: a9;"):
            score(ref, hyp)


class TestLayout:
    def test_utterances_keep_the_order_of_the_references(self, score):
        cer = score("b x\nc x\na x\n", "a x\nb x\nc x\n")
        assert re.findall("^utt: (.*)$", cer, re.MULTILINE) == ["b", "c", "a"]

    def test_the_last_eight_lines_show_the_rates_for_any_number_of_clusters(self, score):
        tokens = ["你", "hello", "7", "か", "мир"]
        for size in range(1, 6):
            cer = score(f"a {' '.join(tokens[:size])}\n", "a x\n")
            tail = cer.splitlines()[-8:]
            assert [text.split(" -> ")[0] for text in tail if " -> " in text] == [
                "Overall",
                *["Chinese", "English", "Number", "Japanese", "Other"][:size],
                "SER",
            ]

    def test_tokens_stand_above_each_other(self, score):
        cer = score("a 你 好 world again\n", "a 你 hello world\n")
        assert line(cer, "ref:") == "ref: 你 好    WORLD AGAIN"
        assert line(cer, "hyp:") == "hyp: 你 HELLO WORLD      "

    def test_an_empty_text_shows_as_deletions(self, score):
        cer = score("a one two\nb\n", "a\nb\n")
        assert "utt: a\nWER: 100.00 % N=2 Cor=0 Sub=0 Del=2 Ins=0\nref: ONE TWO\nhyp:        \n" in cer
        assert "utt: b\nWER: 0.00 % N=0 Cor=0 Sub=0 Del=0 Ins=0\nref: \nhyp: \n" in cer

    def test_the_same_input_gives_the_same_bytes(self, tmp_path):
        ref, hyp = GOLDEN / "ex3_ref.txt", GOLDEN / "ex3_hyp.txt"
        outputs = []
        for seed in "12":
            out = [tmp_path / f"{seed}{suffix}" for suffix in (".txt", ".json", ".jsonl")]
            script = [sys.executable, str(ROOT / "scripts" / "compute_wer.py"), str(ref), str(hyp), str(out[0])]
            subprocess.run(
                [*script, "--json", str(out[1]), "--utterances", str(out[2])],
                env=os.environ | {"PYTHONHASHSEED": seed},
                check=True,
                capture_output=True,
            )
            outputs.append([path.read_bytes() for path in out])
        assert outputs[0] == outputs[1]


class TestTokens:
    @pytest.mark.parametrize(
        ("text", "tokens"),
        [
            ("It's 3.14, OK?", ["IT'S", "3", ".", "14", ",", "OK", "?"]),
            ("'tis dogs' ''x", ["'", "TIS", "DOGS'", "'", "'", "X"]),
            ("我有25块abc钱", ["我", "有", "25", "块", "ABC", "钱"]),
            ("カラオケ ｶﾗｵｹ 々 二〇〇八", list("カラオケｶﾗｵｹ々二〇〇八")),
            ("𠮷𠮷野家", list("𠮷𠮷野家")),
            ("ไทย ລາວ ខ្មែរ မြန်မာ བོད", list("ไทยລາວខ្មែរမြန်မာབོད")),
            ("안녕하세요 여러분", ["안녕하세요", "여러분"]),
            ("a_b $5 😀😀", ["A", "_", "B", "$", "5", "😀", "😀"]),
            ("हिन्दी में", ["हिन्दी", "में"]),
            ("co\u00adoperate \u200bx\u200by می\u200cخواهم", ["COOPERATE", "X", "Y", "میخواهم"]),
            ("a\u3000b\u00a0c\u2028d\x0be\x85f\tg\x01h", list("ABCDEFGH")),
            ("straße ﬁn", ["STRASSE", "FIN"]),
            ("a\ue000b \U0003fffd", ["A", "\ue000", "B", "\U0003fffd"]),
        ],
    )
    def test_the_mixed_tokenization(self, text, tokens):
        assert mixed_tokens(fold(text)) == tokens

    def test_words_are_what_white_space_separates(self):
        assert words(fold("我有 a-b, it’s\u3000x")) == ["我有", "A-B,", "IT’S", "X"]

    @pytest.mark.parametrize("word", ["café", "Việt", "ñandú", "пойдём", "がぎ", "각", "ΐ", "ᾴ"])
    def test_composed_and_decomposed_spellings_are_equal(self, word):
        composed, decomposed = unicodedata.normalize("NFC", word), unicodedata.normalize("NFD", word)
        assert composed != decomposed
        assert mixed_tokens(fold(composed)) == mixed_tokens(fold(decomposed))
        assert words(fold(composed)) == words(fold(decomposed))

    def test_a_combining_mark_does_not_split_a_word_and_is_not_lost(self):
        assert counts("x̱abc y", "x̱abc y") == (2, 0, 0, 0)
        assert counts("x̱abc y", "xabc y") == (1, 1, 0, 0)

    def test_tags_are_removed_on_request(self, score):
        assert "N=8 Cor=2 " in line(score("a <unk> b<c>d\n", "a b d\n"), "Overall")
        assert line(score("a <unk> b<c>d < e\n", "a b d < e\n", remove_tags=True), "Overall") == (
            "Overall -> 0.00 % N=4 Cor=4 Sub=0 Del=0 Ins=0"
        )

    @pytest.mark.parametrize(
        ("token", "name"),
        [
            *(("你", "Chinese"), ("IT'S", "English"), ("É", "English"), ("X̱", "English"), ("25", "Number")),
            *(("か", "Japanese"), ("ー", "Other"), ("A1", "Other"), ("МИР", "Other"), (",", "Other"), ("'", "Other")),
        ],
    )
    def test_clusters(self, token, name):
        assert cluster(token) == name


class TestPolicies:
    def test_a_missing_hypothesis_counts_as_deletions_and_is_counted(self, score):
        cer = score("a one two\nb three\n", "b three\n")
        assert line(cer, "Overall") == "Overall -> 66.67 % N=3 Cor=1 Sub=0 Del=2 Ins=0"
        assert line(cer, "SER").endswith("Err=1 ML=0 MH=1")

    def test_a_missing_hypothesis_can_be_an_error(self, score):
        with pytest.raises(RecipeError, match=r"1 keys of .* have no hypothesis: a;"):
            score("a one two\nb three\n", "b three\n", missing="error")

    def test_identical_duplicates_are_one(self, score):
        cer = score("a x y\nb z\na x y\n", "a x\na x\nb z\n")
        assert line(cer, "Overall") == "Overall -> 33.33 % N=3 Cor=2 Sub=0 Del=1 Ins=0"

    @pytest.mark.parametrize("side", ["ref", "hyp"])
    def test_a_key_with_two_texts_is_an_error_that_names_the_line(self, score, side):
        texts = {"ref": "a x\nb y\n", "hyp": "a x\nb y\n"} | {side: "a x\nb y\na z\n"}
        with pytest.raises(RecipeError, match=f"{side}:3: key 'a'"):
            score(**texts)

    def test_nothing_to_score_is_an_error(self, score):
        with pytest.raises(RecipeError, match="no references"):
            score("\n", "\n")

    def test_insertions_into_an_empty_reference_are_an_error_of_the_sentence(self, score):
        cer = score("a\nb\n", "a noise\nb\n")
        assert line(cer, "SER") == "SER -> 50.00 % N=2 Cor=1 Err=1 ML=0 MH=0"
        assert line(cer, "Overall") == "Overall -> 100.00 % N=0 Cor=0 Sub=0 Del=0 Ins=1"


class TestAwkwardFiles:
    """A file that is not as it should be gives the right result, or an error that names the line."""

    RIGHT = "Overall -> 33.33 % N=3 Cor=2 Sub=1 Del=0 Ins=0"

    @pytest.mark.parametrize(
        "ref",
        [
            b"a one two\nb three\n",
            b"\xef\xbb\xbfa one two\nb three\n",
            b"a one two\r\nb three\r\n",
            b"a one two\nb three",
            b"  a \t one two \n\n \t\nb\tthree\n",
            "a one\u2028two\nb three\n".encode(),
            b"a one\x0ctwo\nb three\n",
            b"a one\rtwo\nb three\n",
        ],
    )
    def test_these_are_right(self, score, ref):
        assert line(score(ref, "a one too\nb three\n"), "Overall") == self.RIGHT

    def test_a_lone_key_is_an_empty_text(self, score):
        assert line(score("a one\nb\n", "a one\nb"), "Overall") == "Overall -> 0.00 % N=1 Cor=1 Sub=0 Del=0 Ins=0"

    @pytest.mark.parametrize("bad", [b"b \xff\xfe\n", b"b \xed\xa0\x80\n", b"b th\x00ree\n"])
    @pytest.mark.parametrize("side", ["ref", "hyp"])
    def test_a_bad_byte_is_an_error_that_names_the_line(self, score, bad, side):
        texts = {"ref": b"a one\nb two\n", "hyp": b"a one\nb two\n"} | {side: b"a one\n" + bad}
        with pytest.raises(RecipeError, match=f"{side}:2: "):
            score(**texts)

    def test_a_line_of_ten_megabytes_is_scored(self, score):
        text = f"{'a' * 60}你好, " * 150_000
        assert len(text.encode()) > 10**7
        cer = score(f"a start {text} end\n", f"a begin {text}\n")
        assert line(cer, "Overall").endswith("N=600002 Cor=600000 Sub=1 Del=1 Ins=0")

    def test_texts_that_cannot_be_aligned_are_an_error_that_names_the_key(self, score, monkeypatch):
        monkeypatch.setattr("recipe.score.align.FULL_SEARCH", 100)
        monkeypatch.setattr("recipe.score.align.ANY_DISTANCE", 100)
        monkeypatch.setattr("recipe.score.align.BAND_SEARCH", 100)
        ref, hyp = " ".join("abcdefghijklmnop"), " ".join("qrstuvwxyzäöü你好啊")
        with pytest.raises(RecipeError, match="key 'long'"):
            score(f"ok a\nlong {ref}\n", f"ok a\nlong {hyp}\n")

    def test_a_missing_file_is_an_error(self, tmp_path):
        (tmp_path / "ref").write_text("a x\n")
        result = command(tmp_path / "ref", tmp_path / "nowhere", tmp_path / "out")
        assert result.returncode == 2
        assert f"{tmp_path}/nowhere: no such file" in result.stderr
        assert not (tmp_path / "out").exists()

    def test_on_an_error_nothing_is_written(self, tmp_path):
        (tmp_path / "ref").write_text("a x\n")
        (tmp_path / "hyp").write_text("a x\nb y\n")
        outputs = [tmp_path / "out", tmp_path / "out.json", tmp_path / "out.jsonl"]
        (tmp_path / "out").write_text("old")
        result = command(
            tmp_path / "ref", tmp_path / "hyp", outputs[0], "--json", outputs[1], "--utterances", outputs[2]
        )
        assert result.returncode == 2
        assert sorted(path.name for path in tmp_path.iterdir()) == ["hyp", "out", "ref"]
        assert (tmp_path / "out").read_text() == "old"


class TestOutputIsNoInput:
    @pytest.fixture
    def files(self, tmp_path):
        for name in ("ref", "hyp"):
            (tmp_path / name).write_text("a x\n")
        (tmp_path / "symbolic").symlink_to(tmp_path / "ref")
        os.link(tmp_path / "hyp", tmp_path / "hard")
        return tmp_path

    @pytest.mark.parametrize("name", ["ref", "hyp", "./ref", "symbolic", "hard"])
    @pytest.mark.parametrize("output", ["out", "json_out", "rows_out"])
    def test_the_same_file_is_refused(self, files, name, output):
        paths = {"out": str(files / "out"), "json_out": None, "rows_out": None} | {output: f"{files}/{name}"}
        with pytest.raises(RecipeError, match="same file"):
            score_files(ScoreInputs(str(files / "ref"), str(files / "hyp")), ScoringPolicy(), **paths)
        assert (files / "ref").read_text() == (files / "hyp").read_text() == "a x\n"

    def test_two_outputs_in_one_file_are_refused(self, files):
        out = str(files / "out")
        with pytest.raises(RecipeError, match="same file"):
            score_files(ScoreInputs(str(files / "ref"), str(files / "hyp")), ScoringPolicy(), out, out, None)


def traced(ref: list[str], hyp: list[str]) -> list[str]:
    """The operations of a minimal alignment by the textbook's table, with the tie-break of recipe.align."""
    start = 0
    while start < min(len(ref), len(hyp)) and ref[start] == hyp[start]:
        start += 1
    end = 0
    while end < min(len(ref), len(hyp)) - start and ref[-1 - end] == hyp[-1 - end]:
        end += 1
    a, b = ref[start : len(ref) - end], hyp[start : len(hyp) - end]
    cost = [[i + j for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            step = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            cost[i][j] = min(step, cost[i - 1][j] + 1, cost[i][j - 1] + 1)
    steps = []
    i, j = len(a), len(b)
    while i or j:
        if i and cost[i][j] == cost[i - 1][j] + 1:
            steps.append("D")
        elif i and j and a[i - 1] != b[j - 1] and cost[i][j] == cost[i - 1][j - 1] + 1:
            steps.append("S")
        elif j and cost[i][j] == cost[i][j - 1] + 1:
            steps.append("I")
        else:
            steps.append("C")
        i -= steps[-1] != "I"
        j -= steps[-1] != "D"
    return ["C"] * start + steps[::-1] + ["C"] * end


@contextlib.contextmanager
def shadowed(name: str):
    """Set the modules of a package aside: scripts/compute_wer.py has the name of the package's module."""
    aside = {key: sys.modules.pop(key) for key in list(sys.modules) if key.split(".")[0] == name}
    try:
        yield
    finally:
        for key in [key for key in sys.modules if key.split(".")[0] == name]:
            del sys.modules[key]
        sys.modules.update(aside)


@pytest.fixture(scope="module")
def package():
    """The compute-wer package."""
    try:
        distribution = importlib.metadata.distribution("compute-wer")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("compute-wer is not installed")
    path = Path(distribution.locate_file("compute_wer/__init__.py"))
    with shadowed("compute_wer"):
        spec = importlib.util.spec_from_file_location(
            "compute_wer", path, submodule_search_locations=[str(path.parent)]
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["compute_wer"] = module
        spec.loader.exec_module(module)
        yield module


short_words = st.lists(st.sampled_from("abc"), max_size=12)
plain_text = st.text(alphabet="ab XÉ7 0你好世かカ안мж,.!'_$😀\t", max_size=30)
any_text = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)


def steps_of(ref: list[str], hyp: list[str]) -> list:
    return json.loads(alignment_json(ref, hyp, edits(ref, hyp), Cached(correct_step)))


class TestProperties:
    @given(short_words, short_words)
    def test_ties_are_broken_as_stated(self, ref, hyp):
        assert [step[0] for step in steps_of(ref, hyp)] == traced(ref, hyp)

    @given(short_words, short_words)
    def test_an_alignment_spells_both_texts(self, ref, hyp):
        steps = steps_of(ref, hyp)
        assert [step[1] for step in steps if step[0] != "I"] == ref
        assert [step[2] for step in steps if step[0] != "D"] == hyp
        assert all((step[1] == step[2]) == (step[0] == "C") for step in steps)

    @given(short_words, short_words)
    def test_long_searches_find_as_few_edits(self, ref, hyp):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("recipe.score.align.FULL_SEARCH", 0)
            found = edits(ref * 40, hyp * 40)
        assert len(found) == len(edits(ref * 40, hyp * 40))

    @settings(max_examples=300)
    @given(plain_text, plain_text)
    def test_counts_and_alignments_equal_compute_wer(self, package, ref, hyp):
        theirs = package.Calculator().calculate(ref, hyp)
        a, b = mixed_tokens(fold(ref)), mixed_tokens(fold(hyp))
        found = edits(a, b)
        assert tuple(count(len(a), len(b), found)) == (theirs.equal, theirs.replace, theirs.delete, theirs.insert)
        lines = aligned_lines(a, b, found, Cached(width))
        assert lines == (" ".join(theirs.reference), " ".join(theirs.hypothesis))

    @settings(max_examples=30)
    @given(st.lists(st.tuples(plain_text, plain_text), min_size=1, max_size=5))
    def test_the_summary_equals_compute_wer(self, package, tmp_path_factory, pairs):
        folder = tmp_path_factory.mktemp("pairs")
        for index, name in enumerate(("ref", "hyp")):
            texts = (f"{key} {pair[index]}\n" for key, pair in enumerate(pairs))
            (folder / name).write_text("".join(texts), encoding="utf-8")
        score_files(
            ScoreInputs(str(folder / "ref"), str(folder / "hyp")), ScoringPolicy(), str(folder / "out"), None, None
        )
        ours = set((folder / "out").read_text(encoding="utf-8").split(RULE)[1].strip().splitlines())
        calculator = package.Calculator()
        for ref, hyp in pairs:
            calculator.calculate(ref, hyp)
        overall, clusters = calculator.overall()
        if overall.all:
            theirs = {f"{name} -> {value}" for name, value in {"Overall": overall, **clusters}.items()}
            assert {text for text in ours if not text.startswith("SER")} == theirs

    @given(short_words, short_words)
    def test_words_and_characters_count_as_in_jiwer(self, ref, hyp):
        jiwer = pytest.importorskip("jiwer")
        if not ref:
            return
        by_word = jiwer.process_words(" ".join(ref), " ".join(hyp))
        ours = count(len(ref), len(hyp), edits(ref, hyp))
        assert ours.errors == by_word.substitutions + by_word.deletions + by_word.insertions
        assert ours.rate == pytest.approx(by_word.wer)
        assert ours.rate == pytest.approx(jiwer.cer("".join(ref), "".join(hyp)))

    @given(any_text, any_text)
    def test_any_text_can_be_scored_and_equals_itself(self, ref, hyp):
        cor, sub, dels, ins = counts(ref, hyp)
        assert cor + sub + dels == len(mixed_tokens(fold(ref)))
        assert cor + sub + ins == len(mixed_tokens(fold(hyp)))
        assert counts(ref, ref)[1:] == (0, 0, 0)

    @given(any_text)
    def test_composition_never_matters(self, text):
        spellings = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
        assert mixed_tokens(fold(spellings[0])) == mixed_tokens(fold(spellings[1])) == mixed_tokens(fold(text))


class TestCommand:
    def test_help_names_what_goes_in_and_out(self):
        result = command("--help")
        assert result.returncode == 0
        for name in ("REF", "HYP", "OUT", "--json", "--utterances", "--missing", "--extra", "--compare", "--hotwords"):
            assert name in result.stdout

    def test_it_writes_the_file_and_logs_the_rate(self, tmp_path):
        result = command(GOLDEN / "ex1_ref.txt", GOLDEN / "ex1_hyp.txt", tmp_path / "cer.txt")
        assert result.returncode == 0
        assert "25.00 % N=24" in result.stderr
        assert line((tmp_path / "cer.txt").read_text("utf-8"), "Overall").startswith("Overall -> 25.00 % N=24")

    def test_a_negative_number_of_samples_is_an_error(self, tmp_path):
        args = [GOLDEN / "ex1_ref.txt", GOLDEN / "ex1_hyp.txt", tmp_path / "cer.txt"]
        assert command(*args, "--bootstrap", "-1").returncode == 2
