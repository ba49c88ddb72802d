"""`snakemake export` of a run for everything that can be named, executed: what lies there, what the logs say, and what
is made again. Runs where the package sherpa_onnx is installed (`make test-export`)."""

import os
import shutil

import pytest
import small_workflow
import yaml
from conftest import ROOT
from parity.toolkit_checkpoint import FITTING_VLLM, write_toolkit_directory

from recipe.convert import runtimes
from recipe.model import directory

pytest.importorskip("sherpa_onnx")
pytestmark = pytest.mark.slow

PROVEN, NOT_PROVEN = ": proven, decoded by ", "NOT PROVEN that it is served as decode.py decodes it"
# What is not in this environment proves nothing.
SAID = {
    directory.HF: PROVEN,
    directory.TOOLKIT: NOT_PROVEN,
    directory.SHERPA_ONNX: PROVEN,
    directory.GGUF: PROVEN if os.environ.get(runtimes.LLAMA_CPP_PROGRAM) else NOT_PROVEN,
}


def test_all_kinds_are_made_of_a_run_and_a_lost_one_alone_is_made_again(tmp_path):
    settings = small_workflow.write_project(tmp_path, ROOT / "models/tiny")
    settings["runs"] = {"a": {"audio_tokens": "low_frame_rate"}}
    settings["export"] = {"to": [kind for kind in SAID if kind != directory.HF]}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    small_workflow.snakemake(tmp_path, "export")
    for kind, said in SAID.items():
        made = tmp_path / "exp/e/export/a" / kind
        assert all((made / name).stat().st_size for name in [*directory.WRITTEN[kind], "README.md"])
        assert said in (tmp_path / f"exp/e/logs/convert_{kind}/a.log").read_text(), kind
    assert not small_workflow.plan(tmp_path, "export")
    for kind in SAID:
        place = tmp_path / "exp/e/export/a" / kind
        place.rename(tmp_path / "away")
        assert small_workflow.plan(tmp_path, "export") == {f"convert_{kind.replace('-', '_')}": 1, "export": 1}
        (tmp_path / "away").rename(place)
    shutil.rmtree(tmp_path / "exp/e/export/a/toolkit")
    small_workflow.snakemake(tmp_path, "export")
    assert not small_workflow.plan(tmp_path, "export")


def test_a_model_of_fitting_sizes_is_made_for_vllms_own_class(tmp_path):
    write_toolkit_directory(tmp_path / "toolkit", low_frame_rate=True, **FITTING_VLLM)
    settings = small_workflow.write_project(tmp_path, tmp_path / "toolkit")
    settings["runs"] = {"a": {"max_steps": 1}}
    settings["export"] = {"to": [directory.VLLM]}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    small_workflow.snakemake(tmp_path, "export")
    made = tmp_path / "exp/e/export/a/vllm"
    assert all((made / name).stat().st_size for name in directory.WRITTEN[directory.VLLM])
    log = (tmp_path / "exp/e/logs/convert_vllm/a.log").read_text()
    assert NOT_PROVEN in log and "vllm, which decodes" in log
