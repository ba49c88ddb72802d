"""A CTC branch fitted to known times: what frames are told, and that it learns them."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from conftest import ROOT, tone
from safetensors.torch import load_file

from recipe.files import RecipeError, read_json
from recipe.model import network
from recipe.train import known_times
from recipe.train.known_times import KnownUtterance, KnownWord, frame_targets


class Letters:
    size = 256

    def encode(self, text):
        return list(text.encode())

    def decode(self, tokens):
        return bytes(tokens).decode(errors="replace")


def test_a_frame_is_told_of_its_tokens_by_their_shares():
    begin = known_times.FIRST_EDGE + 2 * 0.06
    words = [KnownWord(begin, begin + 0.24, "AB"), KnownWord(begin + 0.33, begin + 0.39, "c")]
    targets = frame_targets("ab c.", words, Letters(), 10, 256)
    assert torch.allclose(targets.sum(1), torch.ones(10))
    assert targets[:2, 256].tolist() == [1, 1]
    assert targets[2:4, ord("a")].tolist() == pytest.approx([1, 1])
    assert targets[4:6, ord("b")].tolist() == pytest.approx([1, 1])
    assert targets[7:9, ord("c")].tolist() == pytest.approx([0.5, 0.25])  # half of the second is the sign's
    assert targets[6, ord(" ")] == 0.5 and targets[8, ord(".")] == 0.5


def test_words_of_another_text_are_refused():
    with pytest.raises(ValueError, match="its words with times are 'x', its text is 'y'"):
        frame_targets("y", [KnownWord(0, 1, "x")], Letters(), 10, 256)


def test_a_ctm_is_read_by_utterance_and_bad_lines_are_named(tmp_path):
    file = tmp_path / "ctm"
    file.write_text("b 1 0.5 0.25 two 0.9\nb 1 0.0 0.5 one\na 1 0 1 x\n")
    assert known_times.read_ctm(str(file)) == {"b": [(0.0, 0.5, "one"), (0.5, 0.75, "two")], "a": [(0.0, 1.0, "x")]}
    file.write_text("a 1 0 1 x\na 1 0\n")
    with pytest.raises(RecipeError, match="ctm:2: 'a 1 0', expected key, channel, begin"):
        known_times.read_ctm(str(file))


def test_a_branch_is_fitted_and_nothing_else_is_changed(full_model, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for number in range(4):
        silence = np.zeros(8000, np.float32)
        soundfile.write(data / f"u{number}.wav", np.concatenate([silence, tone(1.0, number), silence]), 16000)
    (data / "wav.scp").write_text("".join(f"u{n} u{n}.wav\n" for n in range(4)))
    (data / "text").write_text("".join(f"u{n} yes.\n" for n in range(4)))
    (data / "ctm").write_text("".join(f"u{n} 1 0.5 1.0 yes\n" for n in range(4)))
    command = [sys.executable, "scripts/fit_times.py", "--model-dir", full_model, "--data-dir", data, "--epochs", "60"]
    command += ["--valid-dir", data, "--output-dir", tmp_path / "model", "--learning-rate", "0.01"]
    subprocess.run(list(map(str, command)), cwd=ROOT, check=True, capture_output=True)
    made = tmp_path / "model"
    for file in full_model.iterdir():
        if file.name != "recipe.json":
            assert (made / file.name).read_bytes() == file.read_bytes()
    facts = read_json(made / "recipe.json")["ctc"]
    assert facts["trained"] and not facts["stale"]
    assert facts["fitted"]["borders"] == 8 and facts["fitted"]["median_ms"] < 60
    assert load_file(made / "ctc/model.safetensors")


def test_a_deviation_is_over_both_borders_of_every_word(full_model):
    recognizer = network.load(full_model)
    from recipe.model import ctc

    branch = ctc.begin(recognizer.model.config.audio_config, recognizer.tokenizer, 1).eval()
    found = known_times.deviation(
        recognizer, branch, [KnownUtterance("a", tone(2.0), "yes no", [KnownWord(0, 1, "yes"), KnownWord(1, 2, "no")])]
    )
    assert found.borders == 4 and 0 <= found.median <= found.most <= 2
