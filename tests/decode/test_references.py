"""Transcripts with times: cut at pauses into utterances, as a data directory."""

import itertools
import json
import shutil
import subprocess
import sys

import made_ctc
import pytest
from conftest import ROOT, write_data

from recipe.decode.heard import HeardWord
from recipe.decode.references import segments
from recipe.text.words import split


def spoken(text, second=1.0, pauses=()):
    """Words of a second each, with a pause of a second before those that are numbered in `pauses`."""
    found, place = [], 1.0
    for number, word in enumerate(split(text)):
        place += number in pauses
        found.append(HeardWord(text[word.start : word.end], place, place + 0.9 * second))
        place += second
    return found


def test_utterances_are_cut_in_the_longest_pause_of_the_second_half():
    text = "One two three. Four five six. Seven eight nine ten."
    words = spoken(text, pauses=(1, 6))
    found = segments(text, words, 20.0, 8.0)
    assert [part.text for part in found] == ["One two three. Four five six.", "Seven eight nine ten."]
    assert [(part.start, part.end) for part in found] == [
        (0.5, pytest.approx(8.4)),
        (pytest.approx(8.5), pytest.approx(13.4)),
    ]
    assert segments(text, words, 20.0, 60.0) == [(0.5, pytest.approx(13.4), text)]


@pytest.mark.parametrize("longest", [0.5, 1.0, 2.5, 4.0])
def test_texts_of_utterances_are_the_text(longest):
    text = "(One) two, three. 四五六。 Seven eight!"
    words = spoken(text)
    words[3] = HeardWord(words[3].word)  # has no time
    found = segments(text, words, 20.0, longest)
    assert "".join("".join(part.text.split()) for part in found) == "".join(text.split())
    assert all(a.end <= b.start + 1e-9 for a, b in itertools.pairwise(found))


def test_a_data_directory_comes_out(full_model, tmp_path):
    model = shutil.copytree(full_model, tmp_path / "model")
    made_ctc.write(model, 32)
    write_data(tmp_path / "data", 3)
    with open(tmp_path / "data/wav.scp", "a") as file:
        file.write("spk9-lost wav/lost.wav\n")
    with open(tmp_path / "data/text", "a") as file:
        file.write("spk9-lost gone\n")
    command = [sys.executable, "scripts/align.py", "--model-dir", model, "--data-dir", tmp_path / "data"]
    done = subprocess.run([*map(str, command), "--output-dir", str(tmp_path / "out")], cwd=ROOT, capture_output=True)
    assert done.returncode == 3, done.stderr.decode()
    out = tmp_path / "out"
    rejects = [line.split("\t") for line in (out / "rejects.tsv").read_text().splitlines()[1:]]
    rows = [json.loads(line) for line in (out / "words.jsonl").read_text().splitlines()]
    assert len(rejects) + len(rows) == 4 and "spk9-lost" in {row[0] for row in rejects}
    texts = dict(line.split(" ", 1) for line in (out / "text").read_text().splitlines())
    assert texts == {row["key"]: row["text"] for row in rows}
    keys = [line.split()[0] for line in (out / "segments").read_text().splitlines()]
    assert keys == sorted(texts) and {line.split()[0] for line in (out / "ctm").read_text().splitlines()} == set(keys)
    refused = subprocess.run(
        [*map(str, command[:-2]), "--data-dir", str(tmp_path / "data"), "--output-dir", str(tmp_path / "data")],
        cwd=ROOT, capture_output=True,
    )  # fmt: skip
    assert refused.returncode == 2
