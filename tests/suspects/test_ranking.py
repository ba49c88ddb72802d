"""From judgements to a ranking, and parts of long recordings."""

import numpy as np
import pytest
import soundfile
from conftest import tone

from recipe.data import manifest
from recipe.files import RecipeError, json_line
from recipe.suspects import ranking
from recipe.suspects.judgement import Judgement, TextLoss
from recipe.suspects.sound import SoundEvidence
from recipe.suspects.table import FoldFiles

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
GOOD, BAD = TextLoss(1.0, 0.5, 5), TextLoss(30.0, 12.0, 5)


def said(number):
    """A transcript of its own."""
    return " ".join(WORDS[number // step % len(WORDS)] for step in (1, 7, 12, 84, 144))


def write(folder, count=120, wrong=(), place=lambda n: {}, heard=lambda n: said(n)):
    """Files of a fold whose utterances are right, but for those of `wrong`."""
    lines = {"manifest": [], "details": [], "judgements": []}
    for n in range(count):
        facts = {"source": f"{n}.wav", "duration": 2 + n / 100, "speaker": "anna"} | place(n)
        source, duration = facts.pop("source"), facts.pop("duration")
        text = said(n + 500) if n in wrong else said(n)
        one = manifest.Utterance(f"train/s/k{n}", source, "", text, 100, 5, duration, **facts)
        judged = Judgement(
            one.key, BAD if n in wrong else GOOD, GOOD, BAD, said(n + 300), SoundEvidence(-40.0, 2.0, 0.0)
        )
        lines["manifest"].append(one.to_json() | {"place": n})
        lines["details"].append({"key": one.key, "text": heard(n), "ended": "eos"})
        lines["judgements"].append(judged.to_json())
    files = {name: folder / f"{name}.jsonl" for name in lines}
    for name, rows in lines.items():
        files[name].write_text("".join(f"{json_line(row)}\n" for row in rows), encoding="utf-8")
    return FoldFiles(**{name: str(file) for name, file in files.items()})


def rank(folder, fold):
    found = ranking.rank([fold], str(folder / "suspects.tsv"), str(folder / "ranking.tsv"))
    rows = [line.split("\t") for line in (folder / "ranking.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    return found, rows


def test_wrong_ones_come_first_and_every_utterance_is_ranked(tmp_path):
    found, rows = rank(tmp_path, write(tmp_path, wrong={3, 50, 90}))
    assert {row[0] for row in rows[:3]} == {"k3", "k50", "k90"}
    assert {row[0] for row in rows} == {f"k{n}" for n in range(120)} and len(rows) == found.utterances == 120
    assert found.share.low <= 3 / 120 <= found.share.high


def test_a_line_that_is_missing_or_of_another_utterance_is_named(tmp_path):
    fold = write(tmp_path)
    lines = (tmp_path / "details.jsonl").read_text().splitlines(keepends=True)
    for changed, message in (
        (lines[:-1], "details.jsonl: ends early: expected train/s/k119"),
        ([lines[1], *lines[1:]], "details.jsonl:1: expected train/s/k0, found train/s/k1"),
        ([*lines, lines[0]], "details.jsonl:121: train/s/k0 is not in"),
    ):
        (tmp_path / "details.jsonl").write_text("".join(changed))
        with pytest.raises(RecipeError, match=message):
            rank(tmp_path, fold)


@pytest.mark.parametrize("read", [{}, {"start": 1.0, "end": 3.0}, {"channel": 1}])
def test_copies_are_told_among_parts_of_recordings(tmp_path, read):
    """Utterances 3 and 7 are the same part of the same samples, and say different things."""
    names = {n: str(tmp_path / f"{n}.wav") for n in (3, 7)}
    for name in names.values():
        soundfile.write(name, np.stack([tone(4.0), tone(4.0, 1)], axis=1), 16000)
    fold = write(
        tmp_path, wrong={3}, place=lambda n: {"source": names[n], "duration": 2.0, **read} if n in names else {}
    )
    _, rows = rank(tmp_path, fold)
    assert rows[0][0] == "k3" and rows[0][2] == "duplicate" and "as k7," in rows[0][-1]


@pytest.mark.parametrize("other", [{"start": 2.0, "end": 4.0}, {"start": 0.0, "end": 2.0, "channel": 1}])
def test_other_parts_of_a_recording_are_no_copies(tmp_path, other):
    soundfile.write(tmp_path / "long.wav", np.stack([tone(4.0), tone(4.0, 1)], axis=1), 16000)
    parts = {3: {"start": 0.0, "end": 2.0, "channel": 0}, 7: {"channel": 0} | other}
    fold = write(
        tmp_path,
        wrong={3},
        place=lambda n: {"source": str(tmp_path / "long.wav"), "duration": 2.0, **parts[n]} if n in parts else {},
    )
    found, rows = rank(tmp_path, fold)
    assert rows[0][0] == "k3" and rows[0][2] != "duplicate"
    assert (found.shown[0].start, found.shown[0].end) == (0.0, 2.0)


def test_only_what_is_as_long_as_a_suspect_is_read(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr("recipe.suspects.twins.content", lambda source: read.append(source) or 1)
    fold = write(tmp_path, wrong={3}, place=lambda n: {"duration": 2.0 + n // 2})
    found, _ = rank(tmp_path, fold)
    assert found.suspects < 20 and "2.wav" in read and "3.wav" in read
    assert len(read) <= 2 * found.suspects


def test_what_is_too_long_for_its_recording_ranks_above_its_like(tmp_path):
    fold = write(tmp_path)
    lines = (tmp_path / "judgements.jsonl").read_text().splitlines(keepends=True)
    lines[40] = lines[40].replace("[-40.0,2.0,", "[-40.0,0.4,").replace("[-40.0, 2.0,", "[-40.0, 0.4,")
    (tmp_path / "judgements.jsonl").write_text("".join(lines))
    _, rows = rank(tmp_path, fold)
    assert rows[0][0] == "k40"


def test_a_part_is_judged_as_a_file_of_its_samples(tmp_path, full_model):
    """Of a recording of several utterances the model hears the part alone."""
    from recipe.model import network
    from recipe.suspects import judge

    long = np.concatenate([tone(1.0, 1), tone(1.5, 2), tone(1.0, 3)])
    soundfile.write(tmp_path / "long.wav", long, 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "part.wav", long[16000:40000], 16000, subtype="FLOAT")
    common = {"prompt": "语音转写：", "text": "打开灯", "speech_length": 148, "text_length": 4, "duration": 1.5}
    part = manifest.Utterance("k", str(tmp_path / "long.wav"), start=1.0, end=2.5, **common)
    whole = manifest.Utterance("k", str(tmp_path / "part.wav"), **common)
    recognizer = network.load(full_model)
    judged = [next(judge.judge(recognizer, [(one, "关掉灯")], 1)) for one in (part, whole)]
    assert judged[0] == judged[1] and judged[0].reference and judged[0].sound.speech > 1
