"""Scoring and the report as jobs of the workflow."""

import csv
import hashlib
import json
import shutil
import subprocess

import pytest
import yaml
from conftest import write_data
from small_workflow import SNAKEMAKE, snakemake


@pytest.fixture(scope="module")
def project(tmp_path_factory, full_model):
    """A finished run of the untouched model alone, with all normalizations and hotwords."""
    folder = tmp_path_factory.mktemp("project")
    data = folder / "one's data"
    write_data(data)
    (data / "utt2hotwords").write_text("spk0-utt0 light, Moon\nspk1-utt1 fourty-five percent，没有\n")
    settings = {
        "experiment": "e",
        "model": {"base": str(full_model)},
        "data": {"test": {"s": data.name}},
        "runs": {},
        "decode": {"hotwords": ["Tom", "七点"]},
        "score": {"bootstrap": 20},
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    snakemake(folder, "all")
    return folder


def score(project, mode):
    return json.loads((project / f"exp/e/score/{mode}/hyp/base/s/score.json").read_text())


def summary(project):
    with open(project / "exp/e/report/summary.tsv") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_raw_texts_are_scored_beside_the_normalized_ones(project):
    exp = project / "exp/e"
    assert "spk1-utt1\tset it to 45%\n" in (exp / "score/raw/ref/s.txt").read_text()
    assert (exp / "score/raw/hyp/base/s/hyp.txt").read_text() == (exp / "decode/base/s/text").read_text()
    assert [row["mode"] for row in summary(project)] == ["faithful", "compatible", "raw"]


def test_hotwords_are_counted_in_the_form_of_the_texts_around_them(project):
    table = (project / "exp/e/score/faithful/ref/s.hotwords.txt").read_text().splitlines()
    listed = dict(line.split("\t") for line in table)
    assert listed["spk0-utt0"] == "light, moon" and listed["spk1-utt1"] == "45%, 没 有"
    assert {listed[key] for key in listed.keys() - {"spk0-utt0", "spk1-utt1"}} == {"tom, 7 点"}
    counted = {word: times for word, times, *_ in score(project, "faithful")["hotwords"]["words"]}
    # `light` and `45%` are in two utterances, but asked of one; `tom` and `7 点` of those without a line of their own.
    assert {word: counted[word] for word in ("LIGHT", "45 %", "TOM", "7 点")} == {
        "LIGHT": 1, "45 %": 1, "TOM": 1, "7 点": 1
    }  # fmt: skip


def test_what_the_results_are_made_of_is_recorded(project):
    made = json.loads((project / "exp/e/provenance.json").read_text())
    text = (project / "one's data/text").read_bytes()
    assert made["inputs"]["one's data/text"] == hashlib.sha256(text).hexdigest()
    assert any(name.endswith("model.safetensors") for name in made["inputs"])
    assert made["settings"]["score"]["bootstrap"] == 20
    jobs = {stage: len(files) for group in made["made"] for stage, files in group["jobs"].items()}
    assert {"scp2jsonl", "fbank_stats", "decode", "normalize", "compute_wer"} <= jobs.keys()
    assert all(group["with"]["packages"]["torch"] and group["with"]["machine"]["python"] for group in made["made"])


def test_what_the_data_stage_rejects_is_counted_and_not_scored(project, tmp_path, full_model):
    """Two transcripts of a key, bytes that are not UTF-8, a recording that is none, tables that contradict themselves,
    and texts that belong to nothing, beside a set of noise: all in test sets."""
    write_data(tmp_path / "home")
    write_data(tmp_path / "noise", 4)
    keys = [line.split()[0] for line in (tmp_path / "noise" / "text").read_text().splitlines()]
    (tmp_path / "noise" / "text").write_text("".join(f"{key}\n" for key in keys))
    home = tmp_path / "home"
    with open(home / "text", "ab") as file:
        file.write(
            "spk0-utt0 other words\n录音\u30001 light\n录音\u30002 light\nelsewhere hi\ngone hi\n".encode()
            + b"odd \xff\n"
        )
    with open(home / "wav.scp", "a") as file:
        file.writelines(f"{key} wav/spk0-utt0.wav\n" for key in ("录音\u30001", "录音\u30002", "odd"))
        file.write("gone no.wav\n")
    (home / "utt2spk").write_text("spk0-utt0 a\nspk1-utt1 a\nspk1-utt1 b\n")
    settings = {
        "experiment": "e",
        "model": {"base": str(full_model)},
        "data": {"test": {"home": "home", "noise": "noise"}, "max_reject_ratio": 0.5},
        "runs": {},
        "score": {"modes": ["faithful"], "bootstrap": 20},
    }
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    snakemake(tmp_path, "all")
    counts = json.loads((tmp_path / "exp/e/score/faithful/hyp/base/home/score.json").read_text())
    expected = {"conflicting-transcripts": 1, "bad-utf8": 1, "audio-missing": 1, "conflicting-utt2spk": 1}
    assert counts["rejected"] == expected | {"key-without-audio": 1}
    assert counts["utterances"]["rejected"] == 5
    assert counts["utterances"]["scored"] == len((home / "wav.scp").read_text().splitlines()) - 4
    noise = json.loads((tmp_path / "exp/e/score/faithful/hyp/base/noise/score.json").read_text())
    assert noise["utterances"]["scored"] == noise["utterances"]["empty_ref"] == 4
    assert noise["mer"]["rate"] is None and noise["mer"]["n"] == 0


def test_the_report_tells_what_the_stages_took(project):
    page = (project / "exp/e/report/report.html").read_text()
    timings = page.partition("How long the stages took")[2].partition("</table>")[0]
    for stage in ("scp2jsonl", "fbank_stats", "decode", "normalize", "compute_wer"):
        assert f'<th scope="row">{stage}</th>' in timings
    assert '<th scope="row">train</th>' not in timings  # without runs there is none


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["all"], True),  # nothing to be done: the table holds
        (["all", "--forcerun", "report"], True),
        (["all", "--until", "normalize_reference", "--forcerun", "normalize_reference"], False),
        (["exp/e/stats/test/s/stats.json"], False),
        (["all", "--dry-run"], False),
        (["--summary", "all"], False),
    ],
)
def test_the_table_is_shown_where_it_is_the_result(project, arguments, shown):
    """Not by a child process of the others' kind: at exit."""
    done = subprocess.run(
        [*SNAKEMAKE, *arguments, "--configfile", "settings.yaml"], cwd=project, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert ("Error rate (MER) in percent" in done.stderr) == shown
    assert "score.json, " not in done.stderr  # nor does a target list its files


def test_a_users_own_rules_are_in_scores_report_and_provenance_but_for_raw_texts(project, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(project, copy, symlinks=True)
    settings = yaml.safe_load((copy / "settings.yaml").read_text())
    settings["score"] |= {"equivalent": "one's rules.txt", "fillers": ["call", "请"]}
    (copy / "own.yaml").write_text(yaml.safe_dump(settings))
    (copy / "one's rules.txt").write_text("Thomas = Tom\n8点 = 7点\nMoon = light\n")
    snakemake(copy, "all", settings="own.yaml")
    digest = hashlib.sha256((copy / "one's rules.txt").read_bytes()).hexdigest()
    for mode in ("faithful", "compatible"):
        made = score(copy, mode)
        assert made["settings"]["fillers"] == ["call", "请"]
        assert made["inputs"]["equivalent"] == {"file": "one's rules.txt", "sha256": digest}
        references = (copy / f"exp/e/score/{mode}/ref/s.txt").read_text()
        assert "\tthomas\n" in references and "8 点" in references and "7 点" not in references
        assert "call" not in references and "on the moon" in references
        hotwords = (copy / f"exp/e/score/{mode}/ref/s.hotwords.txt").read_text()
        assert "\tthomas, 8 点\n" in hotwords and "\tmoon, moon\n" in hotwords
    raw = score(copy, "raw")
    assert raw["settings"]["fillers"] == [] and "equivalent" not in raw["inputs"]
    assert raw["mer"] == score(project, "raw")["mer"]
    assert [bool(row["own_rules"]) for row in summary(copy)] == [True, True, False]
    assert json.loads((copy / "exp/e/provenance.json").read_text())["inputs"]["one's rules.txt"] == digest
    assert "Nothing to be done" in snakemake(copy, "all", settings="own.yaml")


def test_snakemakes_own_report_has_captions_and_labels(project):
    snakemake(project, "--report", "own.html")
    own = (project / "own.html").read_text()
    for words in ("Results", "Scores", "Data", "test set", "aligned utterances and error rates"):
        assert words in own


def test_nothing_runs_again(project):
    assert "Nothing to be done" in snakemake(project, "all")
