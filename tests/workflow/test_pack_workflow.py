"""`data.pack`: training reads shards, the counts are the report's, and what is damaged is made again on demand."""

import pytest
import yaml
from small_workflow import plan, planned, refused, snakemake, write_project


def setting(folder, pack, **more):
    settings = yaml.safe_load((folder / "settings.yaml").read_text())
    settings["data"] |= {"pack": pack, **more}
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))


@pytest.fixture(scope="module")
def project(tmp_path_factory, full_model):
    """A workflow that has trained on packed data; one recording had gone when it was packed."""
    folder = tmp_path_factory.mktemp("packed")
    write_project(folder, full_model)
    setting(folder, True, max_reject_ratio=0.2)
    snakemake(folder, "data", "--until", "scp2jsonl")
    (folder / "data/wav/spk1-utt3.wav").rename(folder / "away.wav")
    snakemake(folder, "--until", "train")
    (folder / "away.wav").rename(folder / "data/wav/spk1-utt3.wav")
    return folder


def test_training_reads_shards_and_nothing_is_lost_without_a_reason(project):
    for role in ("train", "valid"):
        lines = (project / f"exp/e/packed/{role}/s.jsonl").read_text().splitlines()
        rejects = (project / f"exp/e/packed/{role}/s.rejects.tsv").read_text().splitlines()[1:]
        assert len(lines) == 7 and [row.split("\t")[:3] for row in rejects] == [["spk1-utt3", "pack", "audio-missing"]]
        assert all(f"exp/e/packed/{role}/s/000000.tar:" in line for line in lines)
    assert not (project / "exp/e/packed/test").exists()
    log = next((project / "exp/e/logs/train").glob("*.log")).read_text()
    assert "training on 7 utterances" in log


@pytest.mark.slow
def test_the_report_counts_what_was_lost_in_packing(project):
    snakemake(project, "all")
    page = (project / "exp/e/report/report.html").read_text()
    assert "train set s: 1 of 8 entries were rejected" in page
    assert not planned(project, "all")


def test_a_damaged_shard_stops_training_and_is_made_again_when_asked(project):
    tar = project / "exp/e/packed/train/s/000000.tar"
    whole = tar.read_bytes()
    tar.write_bytes(whole[:20000])
    assert "the shard has 20000 bytes" in refused(project, "all", "--forcerun", "train")
    text = snakemake(project, "--forcerun", "pack", "--until", "pack")
    assert "8 utterances: 8 packed, 0 rejected" in (project / "exp/e/logs/pack/train.s.log").read_text(), text
    assert tar.stat().st_size > len(whole)  # and the recording that had gone is in it


def test_without_the_setting_it_is_made_on_demand_alone(project):
    setting(project, False)
    assert "pack" not in planned(project, "all", "--forceall")
    jobs = plan(project, "exp/e/packed/test/s.jsonl")
    assert jobs == {"pack": 1}
