"""What `snakemake export` makes of the runs' models."""

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
