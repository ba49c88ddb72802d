"""Results that training depends on go by versions: recorded results fail here where one was not counted up."""

import hashlib
import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT, losses
from stages import scp2jsonl

from recipe import versions
from recipe.data.manifest import Utterance
from recipe.data.subset import write_subset
from recipe.files import json_line, write_lines

GOLDEN = ROOT / "tests/golden/versions.json"
SETTINGS = """\
{seed: 3, max_steps: 6, learning_rate: 1e-3, batch_seconds: 4.0, accumulate: 2, evaluations: 2, decode_utterances: 4,
 log_every: 1, workers: 0, freeze: [encoder], augment: {speeds: [0.9, 1.1], frequency_masks: 1, time_masks: 1}}
"""
RECORD = "RECIPE_RECORD_VERSIONS"
ADVICE = f"count up {{name}} in scripts/recipe/versions.py, and run this test once with {RECORD}=1"


def check(name, found, golden):
    """Compare with what is recorded for this version; a version without a record is recorded when that is asked for."""
    version = f"{name} {getattr(versions, name)}"
    if version not in golden and os.environ.get(RECORD):
        GOLDEN.write_text(json.dumps(golden | {version: found}, indent=1) + "\n")
        return
    assert version in golden, ADVICE.format(name=name)
    # Hashes are the same, and numbers as far as processors round alike.
    for kind in (str, float):
        own, recorded = ([value for value in values if isinstance(value, kind)] for values in (found, golden[version]))
        assert own == (recorded if kind is str else pytest.approx(recorded, rel=2e-4)), ADVICE.format(name=name)


@pytest.fixture
def golden():
    return json.loads(GOLDEN.read_text()) if GOLDEN.is_file() else {}


def test_the_numbers_of_training_are_those_of_its_version(full_model, data_dir, golden):
    scp2jsonl(data_dir, full_model)
    manifest = data_dir / "out/set.jsonl"
    (data_dir / "run.yaml").write_text(SETTINGS)
    command = [
        sys.executable, ROOT / "scripts/train.py", "--config", data_dir / "run.yaml", "--model", full_model,
        "--train-jsonl", manifest, "--valid-jsonl", manifest, "--output-dir", data_dir / "model", "--threads", "1",
    ]  # fmt: skip
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    history = json.loads((data_dir / "model/history.json").read_text())
    found = losses(data_dir / "model") + [entry["eval_loss"] for entry in history if "eval_loss" in entry]
    assert len(found) == 8
    check("TRAINING", found, golden)


def test_the_lines_of_manifests_are_those_of_their_version(full_model, data_dir, golden):
    with open(data_dir / "wav.scp", "a") as scp, open(data_dir / "text", "a") as text:
        scp.write("gone wav/gone.wav\nsilent wav/spk0-utt0.wav\n")
        text.write("gone light\nalone light\n")
    scp2jsonl(data_dir, full_model)
    files = [(data_dir / "out" / name).read_text().replace(str(data_dir), "") for name in ("set.jsonl", "set.tsv")]
    digests = [hashlib.sha256(file.encode()).hexdigest() for file in files]
    check("MANIFEST", digests, golden)


def test_the_lines_of_fractions_are_those_of_their_version(tmp_path, golden):
    record = Utterance("", "a.wav", "语音转写：", "text", 100, 2, 1.0).to_json()
    for name, speakers in (("by_speaker", 60), ("by_utterance", 5)):
        lines = (json_line(record | {"key": f"u{i}", "speaker": f"s{i % speakers}"}) for i in range(300))
        write_lines(tmp_path / name, lines)
        write_subset(tmp_path / name, tmp_path / f"{name}.part", 0.3, 7)
    parts = sorted(tmp_path.glob("*.part"))
    check("SUBSET", [hashlib.sha256(part.read_bytes()).hexdigest() for part in parts], golden)


def test_conversions_are_those_of_their_version(full_model, tmp_path, golden):
    from safetensors.torch import load_file

    for to, source, target in (("toolkit", full_model, tmp_path / "a"), ("hf", tmp_path / "a", tmp_path / "b")):
        command = [sys.executable, ROOT / "scripts/convert.py", "--to", to, source, target]
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
    tensors = load_file(tmp_path / "b/model.safetensors")
    config = json.loads((tmp_path / "b/config.json").read_text())
    shapes = {name: [list(tensor.shape), float(tensor.double().sum())] for name, tensor in sorted(tensors.items())}
    del config["transformers_version"]
    names = json.dumps([sorted(shapes), config], sort_keys=True).encode()
    found = [hashlib.sha256(names).hexdigest(), *(total for _, total in shapes.values())]
    check("CONVERSION", found, golden)
