"""Training on packed data is training on files: the same batches, the same weights."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from conftest import ROOT, SENTENCES, tone
from safetensors.torch import load_file
from stages import scp2jsonl

from recipe.files import RecipeError
from recipe.model import network
from recipe.settings.train import AugmentSettings, TrainSettings
from recipe.train import run as training
from recipe.train.sets import TrainingInputs

AUGMENT = AugmentSettings(speeds=(0.9, 1.0, 1.1), time_masks=1)
SETTINGS = TrainSettings(
    max_steps=6, learning_rate=1e-3, batch_seconds=3.0, evaluations=2, decode_utterances=2, workers=2, augment=AUGMENT
)


@pytest.fixture
def manifests(tmp_path, full_model):
    """Manifests of parts of two long recordings (of 16 and 24 bits and two channels) and of a short one, on files and
    packed."""
    folder = tmp_path / "data"
    folder.mkdir()
    soundfile.write(folder / "a.wav", tone(9, 1), 16000)
    stereo = np.stack([tone(9, 2, 22050), tone(9, 3, 22050)], axis=1)
    soundfile.write(folder / "b.flac", stereo, 22050, subtype="PCM_24")
    soundfile.write(folder / "c.wav", tone(1.5, 4), 16000)
    (folder / "wav.scp").write_text("a a.wav\nb b.flac\nc c.wav\n")
    parts = [f"{name}{i} {name} {i * 1.1:.2f} {i * 1.1 + 1.05:.2f}\n" for name in "ab" for i in range(8)]
    (folder / "segments").write_text("".join(parts) + "c c 0.0 -1\n")
    keys = [line.split()[0] for line in parts] + ["c"]
    (folder / "text").write_text("".join(f"{key} {SENTENCES[i % 5]}\n" for i, key in enumerate(keys)))
    scp2jsonl(folder, full_model)
    out = folder / "out"
    flags = {"--jsonl-file": out / "set.jsonl", "--shards-dir": out / "packed", "--packed-file": out / "packed.jsonl",
             "--rejects-file": out / "packed.tsv", "--shard-megabytes": 0.2}  # fmt: skip
    command = [sys.executable, ROOT / "scripts/pack.py", *(word for pair in flags.items() for word in pair)]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    assert len([*(out / "packed").glob("*.tar")]) > 2
    return out / "set.jsonl", out / "packed.jsonl"


def trained(model, manifest, folder, settings):
    recognizer = network.load(model)
    inputs = TrainingInputs([manifest], [manifest])
    facts = training.train(recognizer, settings, inputs, folder / "model", folder / "state")
    return facts, load_file(folder / "model/model.safetensors")


@pytest.mark.parametrize("shuffle", ["full", "chunks"])
def test_weights_are_the_same_bit_for_bit_packed_or_not(full_model, manifests, tmp_path, shuffle):
    settings = dataclasses.replace(SETTINGS, shuffle=shuffle)
    found = [trained(full_model, one, tmp_path / one.stem, settings) for one in manifests]
    (facts, files), (packed_facts, packed) = found
    assert files.keys() == packed.keys() and all(torch.equal(files[name], packed[name]) for name in files)
    assert facts["steps"] == packed_facts["steps"] == 6
    assert [{**one, "name": ""} for one in facts["sets"]] == [{**one, "name": ""} for one in packed_facts["sets"]]


def test_a_shard_that_is_cut_stops_training_before_it_begins(full_model, manifests, tmp_path):
    tar = manifests[1].with_suffix("") / "000001.tar"
    tar.write_bytes(tar.read_bytes()[:-3000])
    with pytest.raises(RecipeError, match=r"000001.tar: the shard has \d+ bytes, \d+ were packed; pack .* again"):
        trained(full_model, manifests[1], tmp_path, SETTINGS)
