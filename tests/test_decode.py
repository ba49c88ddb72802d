"""Decoding: the same text alone and in batches, limits and errors said, input order."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT, tone

from recipe import decode, model
from recipe.decode import Limits, Request
from recipe.features import FrontEnd


def requests(data_dir, count=8):
    lines = [line.split() for line in (data_dir / "wav.scp").read_text().splitlines()][:count]
    return decode.probe([(key, str(data_dir / source)) for key, source in lines], lambda key: "语音转写：")


@pytest.mark.parametrize("directory", ["full_model", "low_model"])
def test_batched_text_is_that_of_one_at_a_time(directory, data_dir, request):
    recognizer = model.load(request.getfixturevalue(directory))
    wanted = requests(data_dir)
    together = decode.decode(recognizer, wanted, batch_seconds=100)
    alone = [decode.decode(recognizer, [one])[0] for one in wanted]
    assert together == alone
    assert len({hypothesis.text for hypothesis in together}) > 1  # the audio makes a difference


def test_output_is_in_input_order_whatever_the_batches(full_model, data_dir):
    recognizer = model.load(full_model)
    wanted = requests(data_dir)
    for seconds in (1.0, 5.0, 100.0):
        assert [h.key for h in decode.decode(recognizer, wanted, batch_seconds=seconds)] == [r.key for r in wanted]


def test_a_hypothesis_stopped_at_its_limit_says_so(full_model, data_dir):
    """A random model hardly ever ends by itself: all reach the limit that goes with their duration."""
    recognizer = model.load(full_model)
    wanted = requests(data_dir)
    for hypothesis, one in zip(decode.decode(recognizer, wanted, limits=Limits(2, 3.0)), wanted, strict=True):
        assert hypothesis.tokens <= 2 + int(3.0 * one.duration)
        if hypothesis.ended == "length":
            assert hypothesis.tokens == 2 + int(3.0 * one.duration)


def test_greedy_tokens_are_those_of_a_plain_loop(full_model):
    """`generate` against argmax step by step over the model's own logits, without a cache."""
    import torch

    recognizer = model.load(full_model)
    item = FrontEnd(recognizer).item("u", tone(1.0), "语音转写：")
    [tokens] = decode.generate(recognizer, [item], [8])
    ids = list(item.example.input_ids)
    with torch.inference_mode():
        for _ in range(8):
            out = recognizer.model(
                input_ids=torch.tensor([ids]),
                input_features=item.features[None],
                input_features_mask=torch.ones(1, len(item.features), dtype=torch.long),
            )
            ids.append(int(out.logits[0, -1].argmax()))
            if ids[-1] == recognizer.prompts.end_id:
                break
    assert tokens == ids[len(item.example.input_ids) :]


def test_unreadable_recordings_keep_their_key_and_say_why(full_model, data_dir):
    recognizer = model.load(full_model)
    (data_dir / "wav" / "bad.wav").write_bytes(b"no audio")
    wanted = [
        *requests(data_dir, 2),
        Request("gone", "nowhere.wav", "x"),
        *decode.probe([("bad", str(data_dir / "wav/bad.wav"))], str),
    ]
    found = decode.decode(recognizer, wanted)
    assert [h.ended for h in found][2:] == ["error", "error"]
    assert "audio-missing" in found[2].error and "audio-unreadable" in found[3].error
    assert found[2].text == found[3].text == ""


def test_command_line_writes_text_and_details_and_counts_errors(full_model, data_dir, tmp_path):
    with open(data_dir / "wav.scp", "a") as file:
        file.write("zz-gone wav/gone.wav\n")
    command = [
        sys.executable, ROOT / "scripts/decode.py", "--model-dir", full_model, "--scp-file", data_dir / "wav.scp",
        "--output-file", tmp_path / "hyp" / "text",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "1 ended by error" in done.stderr, done.stderr
    lines = (tmp_path / "hyp" / "text").read_text().splitlines()
    assert len(lines) == 9 and lines[-1] == "zz-gone\t"
    details = [json.loads(line) for line in (tmp_path / "hyp" / "text.jsonl").read_text().splitlines()]
    assert [d["key"] for d in details] == [line.split("\t")[0] for line in lines]
    assert details[-1]["ended"] == "error" and details[0]["duration"] == 0.8
    strict = subprocess.run([*command, "--strict"], capture_output=True, text=True)
    assert strict.returncode == 2 and "zz-gone" in strict.stderr
