"""The workflow as a module of another one."""

import re

import pytest
import yaml
from conftest import ROOT
from small_workflow import call, copy_recipe, write_project

from recipe.settings.config import Config
from recipe.settings.section import schema

CALLER = """
configfile: "mine.yaml"


module funasr:
    snakefile:
        "{root}/Snakefile"
    config:
        config["asr"]


module again:
    snakefile:
        "{root}/Snakefile"
    config:
        {{**config["asr"], "experiment": "second"}}


use rule * from funasr as asr_*


use rule * from again as again_*


rule words:
    output:
        "made/words.txt",
    shell:
        "echo lamp > {{output}}"


rule best:
    default_target: True
    input:
        rules.asr_report.output.tsv,
        rules.again_report.output.tsv,
    output:
        "best.txt",
    shell:
        "cat {{input}} > {{output}}"
"""


@pytest.fixture
def caller(full_model, tmp_path):
    """A workflow of its own, with the recipe's settings in a part of its configuration."""
    settings = write_project(tmp_path, full_model)
    settings |= {"decode": {"shards": 2}}
    settings["train"] |= {"augment": {"hotwords": {"share": 0.1, "file": "made/words.txt"}}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"asr": settings, "other": 1}))
    (tmp_path / "caller.smk").write_text(CALLER.format(root=ROOT))
    return tmp_path


def test_another_workflow_uses_the_rules_with_settings_of_its_own(caller):
    status, text = call(caller, "--dry-run", "--snakefile", "caller.smk")
    assert status == 0, text
    planned = dict(re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE))
    assert planned["asr_train"] == planned["again_train"] == planned["words"] == "1", "it makes what they need"
    assert planned["asr_decode_shard"] == planned["again_decode_shard"] == "4"
    status, text = call(caller, "exp/e/data/test/s.jsonl", "--snakefile", "caller.smk")
    assert status == 0, text
    assert len((caller / "exp/e/data/test/s.jsonl").read_text().splitlines()) == 8


def test_a_clone_in_a_folder_with_an_odd_name_works_from_elsewhere(caller):
    clone = caller / "it's a {clone}"
    copy_recipe(clone)
    status, text = call(
        caller, "all", "--dry-run", "--configfile", "settings.yaml", "--snakefile", f"{clone}/Snakefile"
    )
    assert status == 0, text


def test_the_catalog_finds_what_it_asks_for():
    catalog = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert catalog["software-stack-deployment"]["conda"] is True
    readme = (ROOT / "README.md").read_text(encoding="utf-8").lower()
    assert "snakemake" in readme and "workflow" in readme
    instructions = (ROOT / "config/README.md").read_text(encoding="utf-8")
    assert [section for section in schema(Config)["properties"] if f"`{section}`" not in instructions] == []
