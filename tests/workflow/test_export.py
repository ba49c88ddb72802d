"""What `snakemake export` makes of the runs' models."""

import importlib.util
import json

import pytest
import small_workflow
import yaml
from safetensors.torch import load_file


@pytest.fixture
def project(full_model, tmp_path):
    """A folder with two runs; returns a function that writes its settings with a section `export`."""
    settings = small_workflow.write_project(tmp_path, full_model)
    settings["runs"] = {"a": {}, "b": {"learning_rate": 1e-3}}

    def write(**export):
        (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings | {"export": export}))
        return tmp_path

    return write


def conversions(plan):
    return {rule: number for rule, number in plan.items() if rule.startswith("convert")}


@pytest.mark.parametrize(
    "export, made",
    [
        ({}, {"convert_hf": 2}),
        ({"to": ["toolkit", "vllm"]}, {"convert_hf": 2, "convert_toolkit": 2, "convert_vllm": 2}),
        ({"to": {"b": ["toolkit"]}}, {"convert_hf": 1, "convert_toolkit": 1}),
    ],
)
def test_merged_weights_and_all_that_is_named_is_made(export, made, project):
    assert conversions(small_workflow.plan(project(**export), "export")) == made


@pytest.mark.parametrize(
    "export, problem",
    [
        ({"to": {"c": ["toolkit"]}}, "export.to.c: no run has this name; there are: a, b"),
        ({"to": ["onyx"]}, "export.to"),
        ({"python": {"toolkit": ""}}, "export.python"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_runs(export, problem, project):
    assert problem in small_workflow.refused(project(**export), "--dry-run", "export")


@pytest.mark.parametrize("kind, package", [("sherpa-onnx", "onnx"), ("gguf", "gguf")])
def test_a_package_that_exports_are_written_with_is_asked_for_before_anything_runs(kind, package, project):
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    text = small_workflow.refused(project(to=[kind]), "--dry-run", "export")
    assert f"export.to: {kind} is written with the package {package}, which is not installed here" in text


def test_an_interpreter_that_is_not_there_is_told_before_anything_runs(project):
    settings = {"to": ["toolkit"], "python": {"toolkit": "gone/bin/python"}}
    text = small_workflow.refused(project(**settings), "--dry-run", "export")
    assert "export.python.toolkit: gone/bin/python is no program" in text


def test_what_a_model_cannot_be_written_for_is_told_before_it_is_trained(project):
    folder = project(to={"a": [], "b": ["toolkit", "vllm"]})
    small_workflow.refused(folder, "export")
    log = (folder / "exp/e/logs/check_exports.log").read_text()
    assert "run a can be written for hf" in log, "merged weights alone, by an empty list"
    assert "run b can be written for toolkit" in log
    assert "export.to: run b cannot be written for vllm: " in log and "built in" in log
    assert not list(folder.glob("exp/e/train/*/model"))


@pytest.mark.slow
def test_exports_stand_beside_each_other_and_another_interpreter_makes_nothing_anew(project):
    folder = project()
    targets = ["exp/e/export/base/hf/config.json", "exp/e/export/base/toolkit/model.pt"]
    small_workflow.snakemake(folder, *targets)
    weights = load_file(folder / "exp/e/export/base/hf/model.safetensors")
    assert {str(tensor.dtype) for tensor in weights.values()} == {"torch.bfloat16"}
    assert json.loads((folder / "exp/e/export/base/toolkit/recipe.json").read_text())["audio_tokens"] == "full"
    assert "proven, decoded by transformers" in (folder / "exp/e/logs/convert_hf/base.log").read_text()
    assert not small_workflow.plan(project(python={"toolkit": "other/python"}), *targets)
