"""A corpus that grows: what a new line makes run, with data.shards."""

import small_workflow
import yaml
from conftest import write_data

SHARDS = 4


def test_a_new_line_runs_its_shard_the_joining_and_what_depends_on_it(full_model, tmp_path):
    settings = small_workflow.write_project(tmp_path, full_model)
    write_data(tmp_path / "more", 9)
    settings["data"] |= {"shards": SHARDS, "test": {"s": "more"}}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    target = "exp/e/data/train/s.jsonl"
    first = small_workflow.snakemake(tmp_path, target)
    assert first.count("scp2jsonl: part") == SHARDS
    lines = (tmp_path / target).read_text().splitlines()
    assert len(lines) == 8 and small_workflow.plan(tmp_path, target) == {}
    for name, value in (("wav.scp", "wav/spk0-utt0.wav"), ("text", "call Tom")):
        table = (tmp_path / "data" / name).read_text().splitlines(keepends=True)
        (tmp_path / "data" / name).write_text("".join([*table[:3], f"new {value}\n", *table[3:]]))
    second = small_workflow.snakemake(tmp_path, target)
    assert second.count("scp2jsonl: part") == 1
    grown = (tmp_path / target).read_text().splitlines()
    assert [*grown[:3], *grown[4:]] == lines and '"new"' in grown[3]
    assert small_workflow.plan(tmp_path, target) == {}
