"""What is kept of two opinions: judged part by part, with reasons that add up and the origin of every line."""

import json

import pytest

from recipe.data import manifest
from recipe.data.join import Entry
from recipe.decode.endings import ERROR, LENGTH
from recipe.decode.heard import HeardWord
from recipe.decode.hypotheses import Hypothesis, Piece
from recipe.decode.listed import RecordingList
from recipe.decode.segment import Span
from recipe.files import RecipeError, read_json, write_lines
from recipe.pseudo.choice import Requirements, judge, normalized
from recipe.pseudo.parts import TranscribedPart, of_hypothesis
from recipe.pseudo.run import Opinion, SelectionFiles, select, weights_hash

WANTED = Requirements(0.9, 0.1)


def part(text="turn on the light", confidence=0.95, ended="eos", flags=(), error=None):
    return TranscribedPart("u", 0.0, None, 2.0, text, ended, tuple(flags), error, confidence, None)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (part(), "Turn on the light.", None),
        (part(confidence=None), "turn on the light", None),
        (part(confidence=0.89), "turn on the light", "not-sure"),
        (part(), "turn off the light", "disagreement"),
        (part(), "", "disagreement"),
        (part("把灯调到40%。"), "把灯调到百分之四十", None),
        (part("把灯打开"), "把灯关上", "disagreement"),
        (part("เปิดไฟ"), "เปิดไฟ", None),
        (part(""), "", "no-text"),
        (part("..."), "...", "no-text"),
        (part(ended=LENGTH), "turn on the light", "not-ended"),
        (part(ended=ERROR, error="audio-unreadable: x"), "turn on the light", "unreadable"),
        (part(flags=["looping"]), "turn on the light", "looping"),
        (part("no " * 40), "no " * 40, "looping"),
        (part(flags=["text_on_silence"]), "turn on the light", "text-on-silence"),
        (part("", flags=["no_speech"]), "", "no-speech"),
        (part(flags=["decoded_again"]), "turn on the light", "decoded-again"),
        (part(flags=["incomplete_recording"]), "turn on the light", "incomplete-recording"),
        (part(flags=["cut_in_speech"]), "turn on the light", "cut-in-speech"),
    ],
)
def test_a_transcript_is_kept_or_left_out_for_a_reason(first, second, reason):
    assert judge(first, second, WANTED).reason == reason


def test_disagreement_counts_edits_by_the_tokens_of_the_first():
    assert judge(part("one light and one lamp"), "one light and two lamp", Requirements(0, 1)).disagreement == 0.2
    assert normalized("It is 7:30.") == normalized("it's 7:30")


def words(text, *sure):
    return tuple(HeardWord(word, confidence=one) for word, one in zip(text.split(), sure, strict=True))


def long_hypothesis():
    """Of 30 s, in three pieces, the second cut off in speech."""
    pieces = (
        Piece(Span(1.0, 11.5, (1.5, 11.0)), "good morning", "eos"),
        Piece(Span(11.5, 21.0, (12.0, 21.0), True), "so it", "eos"),
        Piece(Span(21.0, 31.0, (21.0, 30.0)), "goes", "eos"),
    )
    all_words = words("good morning so it goes", 1.0, 0.8, 0.9, 0.9, 0.7)
    return Hypothesis("talk", "good morning so it goes", "eos", 5, 30.0, pieces=pieces, words=all_words, start=1.0)


def test_a_long_recording_is_as_many_utterances_as_it_has_pieces():
    parts = of_hypothesis(Entry(1, "talk", "a.wav", start=1.0, end=31.0), long_hypothesis())
    assert [(one.key, one.start, one.end, one.confidence) for one in parts] == [
        ("talk-0001000-0011500", 1.0, 11.5, 0.9),
        ("talk-0011500-0021000", 11.5, 21.0, 0.9),
        ("talk-0021000-0031000", 21.0, 31.0, 0.7),
    ]
    assert [judge(one, one.text, WANTED).reason for one in parts] == [None, "cut-in-speech", "cut-in-speech"]


@pytest.fixture
def call(tmp_path):
    """A call of `select` with hypotheses of two opinions; returns the tally and the folder."""

    def run(entries, first, second, rejects=(), wanted=WANTED):
        for name, found in (("first", first), ("second", second)):
            write_lines(tmp_path / f"{name}.jsonl", [json.dumps(one.to_json()) for one in found])
        write_lines(tmp_path / "decode.rejects.tsv", ["key\tstage\treason\tdetail", *rejects])
        files = SelectionFiles(*(str(tmp_path / name) for name in ("out.jsonl", "kept.tsv", "rejects.tsv", "n.json")))
        opinions = [Opinion(name, name[0] * 64, [str(tmp_path / f"{name}.jsonl")]) for name in ("first", "second")]
        rejects_files = [str(tmp_path / "decode.rejects.tsv")]
        return select(entries, RecordingList(audio_dir="x"), *opinions, rejects_files, wanted, files), tmp_path

    return run


def hypothesis(key, text, sure=0.95, ended="eos", **more):
    known = () if sure is None else tuple(HeardWord(word, confidence=sure) for word in text.split())
    return Hypothesis(key, text, ended, 3, 2.0, words=known, confidence=sure, **more)


def rows(file):
    header, *lines = file.read_text().splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]


def test_all_of_the_input_is_kept_or_left_out_and_each_line_says_where_it_comes_from(call):
    entries = [
        Entry(1, "a", "a.wav", prompt="P", speaker="s", language="en", channel=1),
        Entry(2, "b", "b.wav", prompt="P"),
        Entry(3, "talk", "talk.wav", prompt="P", start=1.0, end=31.0),
        Entry(4, "z", "z.wav", problem=("audio-missing", "gone")),
    ]
    unread = Hypothesis("z", "", ERROR, error="audio-missing: gone")
    first = [hypothesis("a", "turn on"), hypothesis("b", "turn off", 0.5), long_hypothesis(), unread]
    second = [hypothesis("a", "Turn on!"), hypothesis("b", "turn off"), long_hypothesis(), unread]
    lines = ["z\tdecode\taudio-missing\tgone", "notes.txt\tdecode\tnot-audio\tempty"]
    tally, folder = call(entries, first, second, lines)
    kept, left_out = rows(folder / "kept.tsv"), rows(folder / "rejects.tsv")
    assert [(one["key"], one["reason"]) for one in left_out] == [
        ("b", "not-sure"),
        ("talk-0011500-0021000", "cut-in-speech"),
        ("talk-0021000-0031000", "cut-in-speech"),
        ("z", "unreadable"),
        ("notes.txt", "not-audio"),
    ]
    counts = read_json(folder / "n.json")
    assert counts["kept"] + sum(counts["left_out"].values()) == counts["utterances"] == 6 == tally.utterances
    assert (counts["recordings"], counts["not_decoded"]) == (4, 1)
    assert kept[0] == {
        "key": "a", "source": "a.wav", "start": "0.0", "end": "", "seconds": "2.000", "confidence": "0.95",
        "disagreement": "0.000", "model": "first", "model_sha256": "f" * 64, "second": "second",
        "second_sha256": "s" * 64,
    }  # fmt: skip
    found = list(manifest.read(folder / "out.jsonl"))
    assert [one.key for one in found] == [one["key"] for one in kept] == ["a", "talk-0001000-0011500"]
    assert (found[0].text, found[0].speaker, found[0].language, found[0].channel) == ("turn on", "s", "en", 1)
    assert (found[1].start, found[1].end, found[1].duration, found[1].recording) == (1.0, 11.5, 10.5, "talk")


def test_without_confidences_agreement_decides_and_it_is_said(call, caplog):
    entries = [Entry(1, "a", "a.wav"), Entry(2, "b", "b.wav")]
    first = [hypothesis("a", "turn on", None), hypothesis("b", "turn on", None)]
    tally, _ = call(entries, first, [hypothesis("a", "turn on"), hypothesis("b", "leave it")])
    assert (tally.kept, dict(tally.reasons)) == (1, {"disagreement": 1})
    assert "2 of 2 utterances have no confidence" in caplog.text


def test_opinions_of_other_recordings_are_refused(call):
    with pytest.raises(RecipeError, match=r"second.jsonl:1: expected what was decoded of 'a', found 'b'"):
        call([Entry(1, "a", "a.wav")], [hypothesis("a", "x")], [hypothesis("b", "x")])
    with pytest.raises(RecipeError, match=r"the end: expected what was decoded of 'b', found nothing"):
        both = [hypothesis("a", "x")]
        call([Entry(1, "a", "a.wav"), Entry(2, "b", "b.wav")], both, both)
    with pytest.raises(RecipeError, match="'b' is not among the recordings"):
        both = [hypothesis("a", "x"), hypothesis("b", "x")]
        call([Entry(1, "a", "a.wav")], both, both)


def test_pieces_at_other_places_are_refused(call):
    entry = Entry(1, "talk", "talk.wav", start=1.0, end=31.0)
    with pytest.raises(RecipeError, match="talk: cut into 3 and into 1 pieces"):
        call([entry], [long_hypothesis()], [hypothesis("talk", "good morning")])


def test_nothing_kept_is_an_error_that_leaves_no_file(call, tmp_path):
    with pytest.raises(RecipeError, match=r"nothing is kept: 1 utterances .* \(not-sure 1\)"):
        call([Entry(1, "a", "a.wav")], [hypothesis("a", "x", 0.1)], [hypothesis("a", "x")])
    assert not (tmp_path / "out.jsonl").exists()


def test_the_hash_of_weights_in_several_files_tells_each(tmp_path):
    with pytest.raises(RecipeError, match=r"no \*.safetensors"):
        weights_hash(tmp_path)
    (tmp_path / "model-1.safetensors").write_bytes(b"1")
    (tmp_path / "model-2.safetensors").write_bytes(b"2")
    before = weights_hash(tmp_path)
    (tmp_path / "model-2.safetensors").write_bytes(b"3")
    assert weights_hash(tmp_path) != before
