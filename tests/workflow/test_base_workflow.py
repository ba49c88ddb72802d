"""The workflow with a base model that has to be made into an HF directory first."""

import shutil

import pytest
import soundfile
import yaml
from conftest import SENTENCES, tone
from parity.toolkit_checkpoint import write_toolkit_directory
from small_workflow import planned, refused, snakemake

from recipe.files import read_json, sha256
from recipe.model import directory as model_dir


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A training run that started from a toolkit directory."""
    folder = tmp_path_factory.mktemp("toolkit-project")
    write_toolkit_directory(folder / "downloaded")
    (folder / "downloaded" / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    (folder / "data" / "wav").mkdir(parents=True)
    for i in range(4):
        soundfile.write(folder / "data" / "wav" / f"u{i}.wav", tone(0.8 + 0.2 * i, i), 16000)
    (folder / "data" / "wav.scp").write_text("".join(f"u{i} wav/u{i}.wav\n" for i in range(4)))
    (folder / "data" / "text").write_text("".join(f"u{i} {SENTENCES[i]}\n" for i in range(4)))
    settings = {
        "experiment": "e",
        "model": {"base": "downloaded"},
        "data": {role: {"s": "data"} for role in ("train", "valid", "test")},
        "train": {"max_steps": 1, "batch_seconds": 5.0, "evaluations": 1, "decode_utterances": 2, "workers": 0},
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    snakemake(folder, "--until", "train")
    return folder


def test_every_stage_uses_the_converted_model(project):
    exp = project / "exp/e"
    assert model_dir.directory_kind(exp / "base") == model_dir.HF
    recipe = read_json(exp / "train/tuned/model/recipe.json")
    assert recipe["base"]["source"] == "exp/e/base"
    assert recipe["base"]["files"]["model.safetensors"] == sha256(exp / "base/model.safetensors")
    origin = recipe["base"]["converted_from"]
    assert origin["source"] == "downloaded" and origin["files"]["model.pt"] == sha256(project / "downloaded/model.pt")
    assert recipe["audio_tokens"] == "low_frame_rate"
    assert "license: apache-2.0" in (exp / "train/tuned/model/README.md").read_text()
    command = snakemake(project, "--dry-run", "--printshellcmds")
    assert "--model-dir exp/e/base" in command and "--model-dir downloaded" not in command


def test_nothing_is_converted_twice_and_a_deleted_file_converts_again(project):
    assert "convert_base" not in planned(project)
    (project / "exp/e/base/generation_config.json").rename(project / "kept")
    try:
        assert {"convert_base", "scp2jsonl", "train", "decode"} <= planned(project)
    finally:
        (project / "kept").rename(project / "exp/e/base/generation_config.json")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base": "organization/name"}, "has to be pinned"),
        ({"base": "./nowhere"}, "./nowhere: no such directory"),
    ],
)
def test_a_base_model_that_cannot_be_is_refused_before_anything_runs(project, settings, message):
    changed = yaml.safe_load((project / "settings.yaml").read_text()) | {"model": settings}
    (project / "bad.yaml").write_text(yaml.safe_dump(changed))
    printed = refused(project, settings="bad.yaml")
    assert "model.base: " in printed and message in printed


def test_a_model_of_the_hub_is_fetched_once_for_all_stages(project):
    commit = "0123456789abcdef0123456789abcdef01234567"
    changed = yaml.safe_load((project / "settings.yaml").read_text())
    changed |= {"experiment": "hub", "model": {"base": "organization/name", "revision": commit}}
    (project / "hub.yaml").write_text(yaml.safe_dump(changed))
    plan = snakemake(project, "--dry-run", "--printshellcmds", settings="hub.yaml")
    assert plan.count(f"organization/name --revision {commit}") == 1
    assert f'convert.py" --to hf organization/name --revision {commit} exp/hub/base' in plan
    assert "--tokenizer exp/hub/base" in plan and "--model exp/hub/base" in plan


def test_a_directory_is_copied_only_to_state_other_audio_tokens_than_its_own(project):
    changed = yaml.safe_load((project / "settings.yaml").read_text()) | {"experiment": "stated"}
    shutil.copytree(project / "exp/e/base", project / "unstated", ignore=shutil.ignore_patterns("recipe.json"))
    for base, mode, copied in (
        ("unstated", "auto", False),
        ("unstated", "low_frame_rate", True),
        ("exp/e/base", "low_frame_rate", False),
        ("exp/e/base", "full", True),
    ):
        changed["model"] = {"base": base, "audio_tokens": mode}
        (project / "stated.yaml").write_text(yaml.safe_dump(changed))
        plan = snakemake(project, "--dry-run", "--printshellcmds", settings="stated.yaml")
        assert (f"--to hf {base} --audio-tokens {mode} exp/stated/base" in plan) == copied
        assert f"--model-dir {'exp/stated/base' if copied else base} " in plan
