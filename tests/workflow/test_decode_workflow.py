"""Decoding as jobs of the workflow: shards, other engines, and recordings without references."""

import gzip
import importlib.util
import json
import re
import shutil
import sys

import pytest
import small_workflow
import yaml

import scp2jsonl
from recipe.text import prompt
from recipe.workflow import config as recipe_config
from recipe.workflow import sets


def snakemake(folder, settings, *arguments, fails=False):
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    return (small_workflow.refused if fails else small_workflow.snakemake)(folder, *arguments)


def planned(folder, settings, *arguments):
    """Number of jobs of each rule that a call would run."""
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    return small_workflow.plan(folder, *arguments)


@pytest.fixture
def settings(full_model, data_dir):
    return {
        "experiment": "e",
        "model": {"base": str(full_model)},
        "data": {"test": {"s": "data"}},
        "runs": {},
    }


CHECKED = {"scp2jsonl": 1, "check_model": 1, "check_leaks": 1, "check_data": 1}  # before anything is decoded


def test_shards_are_jobs_whose_parts_are_kept_and_joined_in_order(settings, data_dir):
    folder, target = data_dir.parent, "exp/e/decode/base/s/text"
    assert planned(folder, settings, target) == {**CHECKED, "decode_settings": 1, "decode": 1}
    settings["decode"] = {"shards": 2}
    snakemake(folder, settings, target)
    lines = (folder / target).read_text().splitlines()
    keys = [line.split()[0] for line in (data_dir / "wav.scp").read_text().splitlines()]
    assert [line.split("\t")[0] for line in lines] == keys
    details = [json.loads(line) for line in (folder / f"{target}.jsonl").read_text().splitlines()]
    assert [detail["key"] for detail in details] == keys
    assert "decode_shard" not in planned(folder, settings, "eval")
    (folder / "exp/e/decode/base/s/shards/2.jsonl").unlink()  # what was joined of it is still there
    plan = planned(folder, settings, "eval")
    assert (plan["decode_shard"], plan["decode_gather"]) == (1, 1)
    (folder / target).unlink()  # as an interruption leaves it
    assert planned(folder, settings, target) == {"decode_shard": 1, "decode_gather": 1}


def published(user, text, **others):
    """A line of JSONL in the published format."""
    contents = {"system": "You are a helpful assistant.", "user": user, "assistant": text}
    return (
        json.dumps({"messages": [{"role": role, "content": text} for role, text in contents.items()]} | others) + "\n"
    )


def test_recordings_without_references_get_texts_and_subtitles(settings, data_dir):
    folder = data_dir.parent
    (folder / "cut").mkdir()
    (folder / "cut/wav.scp").write_text(f"spk0-utt0 {data_dir}/wav/spk0-utt0.wav\n")
    (folder / "cut/segments").write_text("a spk0-utt0 0 0.5\nb spk0-utt0 0.5 -1\n")
    settings["transcribe"] = {"talks": "data/wav", "cut": "cut"}
    settings["decode"] = {"hotwords": ["light", "it is"], "beams": 2}
    snakemake(folder, settings, "transcribe")
    out = folder / "exp/e/transcribe/base"
    keys = {name: [line.split("\t")[0] for line in (out / name / "text").read_text().splitlines()] for name in TALKS}
    assert keys == TALKS
    files = {name: sorted(file.stem for file in (out / name / "subtitles").glob("*.srt")) for name in TALKS}
    assert files == TALKS | {"cut": ["spk0-utt0"]}
    assert planned(folder, settings, "transcribe") == {}
    (folder / "cut/segments").write_text("a spk0-utt0 0 0.5\n")
    assert planned(folder, settings, "transcribe") == {"transcribe_set": 1, "transcribe": 1}


TALKS = {"talks": sorted(f"spk{i % 2}-utt{i}" for i in range(8)), "cut": ["a", "b"]}


@pytest.mark.slow
def test_shards_of_transcription_give_what_one_job_does(settings, data_dir):
    """Texts, details, rejects and subtitles, of segments that shards share as well."""
    folder = data_dir.parent
    (folder / "cut").mkdir()
    (folder / "cut/wav.scp").write_text(f"r {data_dir}/wav/spk0-utt0.wav\nlost gone.wav\n")
    (folder / "cut/segments").write_text("a r 0 0.5\nx lost 0 1\nb r 0.5 -1\nb r 0.5 -1\n")
    (data_dir / "wav/notes.txt").write_text("no recording")
    settings["transcribe"] = {"talks": "data/wav", "cut": "cut"}
    found = []
    for shards in (1, 2):
        settings["decode"] = {"shards": shards}
        settings["experiment"] = f"e{shards}"
        snakemake(folder, settings, "transcribe")
        out = folder / f"exp/e{shards}/transcribe/base"
        files = [file for file in sorted(out.rglob("*")) if file.is_file() and "shards" not in file.parts]
        found.append({str(file.relative_to(out)): file.read_bytes() for file in files})
        assert planned(folder, settings, "transcribe") == {}
    assert found[0] == found[1]
    assert {"cut/text", "cut/text.jsonl", "cut/rejects.tsv", "cut/subtitles/r.srt"} <= found[0].keys()
    assert found[0]["cut/rejects.tsv"].count(b"\n") == 3 and b"duplicate-key" in found[0]["cut/rejects.tsv"]
    (folder / "exp/e2/transcribe/base/cut/shards/2").unlink()
    assert planned(folder, settings, "transcribe") == {
        "transcribe_shard": 1, "transcribe_gather": 1, "transcribe": 1
    }  # fmt: skip


def test_what_to_transcribe_may_be_a_folder_a_list_a_data_directory_or_jsonl(settings, data_dir):
    folder = data_dir.parent
    shutil.copy(data_dir / "wav.scp", folder / "list.scp")
    (folder / "lines.jsonl").write_text(published("语音转写：<|startofspeech|>!x.wav<|endofspeech|>", ""))
    settings["transcribe"] = {"talks": "data/wav", "list": "list.scp", "set": "data", "lines": "lines.jsonl"}
    text = snakemake(folder, settings, "--dry-run", "--printshellcmds", "transcribe")
    flags = re.findall(r"--(?:audio-dir|scp-file|input-jsonl) \S+", text)
    assert sorted(flags) == [
        "--audio-dir data/wav", "--input-jsonl lines.jsonl", "--scp-file data/wav.scp", "--scp-file list.scp",
    ]  # fmt: skip


@pytest.fixture
def segments(data_dir):
    """A test set of segments with prompts of their own."""
    folder = data_dir.parent / "segments"
    folder.mkdir()
    for i, name in enumerate(("wav.scp", "text", "segments", "utt2spk", "utt2hotwords")):
        values = [
            f"{data_dir}/wav/spk1-utt{{n}}.wav", "turn on the light", "r{n} 0.1 0.9", "spk{n}", "light,lamp",
        ]  # fmt: skip
        key = "r" if name == "wav.scp" else "u"
        (folder / name).write_text("".join(f"{key}{n} {values[i].format(n=n)}\n" for n in (3, 1)))
    (folder / "utt2prompt.gz").write_bytes(gzip.compress(b"u1 Write it down:\n"))
    return folder


def test_a_test_set_may_have_segments_prompts_and_hotwords_or_be_jsonl(settings, data_dir, segments):
    folder = data_dir.parent
    wav = f"<|startofspeech|>!{data_dir}/wav/spk1-utt1.wav<|endofspeech|>"
    (folder / "lines.jsonl").write_text(
        published(f"语音转写：{wav}", "turn on\nthe light", speaker="Mei", group="home")
        + published(f"Write it down:{wav}", "It's on.", key="second", speaker="Tom", start=0.1, end=0.9)
        + published("语音转写：<|startofspeech|>!gone.wav<|endofspeech|>", "light", speaker="Tom")
        + "{broken\n"
    )
    settings["data"] |= {"test": {"segments": "segments", "lines": "lines.jsonl"}, "max_reject_ratio": 0.9}
    settings["score"] = {"modes": ["faithful"], "bootstrap": 20}
    scores = [f"exp/e/score/faithful/hyp/base/{test}/score.json" for test in ("segments", "lines")]
    snakemake(folder, settings, *scores)
    found = {
        test: [json.loads(line) for line in (folder / f"exp/e/decode/base/{test}/text.jsonl").read_text().splitlines()]
        for test in ("segments", "lines")
    }
    assert [(d["key"], d["recording"], d["start"], d["end"]) for d in found["segments"]] == [
        ("u3", "r3", 0.1, 0.9), ("u1", "r1", 0.1, 0.9),
    ]  # fmt: skip
    assert [d["key"] for d in found["lines"]] == ["lines-00000001", "second"]
    # Of the same audio with the same prompt, the text is the same from a data directory and from JSONL.
    assert found["segments"][1]["text"] == found["lines"][1]["text"]
    segments_score, lines_score = (json.loads((folder / score).read_text()) for score in scores)
    # u1 has a prompt of its own: its hotwords were not told.
    assert set(segments_score["by_speaker"]) == {"spk1", "spk3"} and segments_score["hotwords"]["ref"] == 1
    references = (folder / "exp/e/score/faithful/ref/lines.txt").read_text()
    assert references == "lines-00000001\tturn on the light\nsecond\tit is on\n"
    assert {name: group["utterances"] for name, group in lines_score["by_speaker"].items()} == {
        "Mei": 1, "Tom": 1,
    }  # fmt: skip
    assert set(lines_score["by_group"]) == {"home", "unknown"} and not lines_score["by_language"]
    assert lines_score["rejected"] == {"audio-missing": 1, "jsonl-invalid": 1}


def test_hotwords_have_the_same_words_in_training_and_decoding(settings, data_dir, segments):
    folder = data_dir.parent
    settings["data"]["train"] = {"s": "segments"}
    snakemake(folder, settings, "exp/e/data/train/s.jsonl")
    records = [json.loads(line) for line in (folder / "exp/e/data/train/s.jsonl").read_text().splitlines()]
    asked = [record["messages"][1]["content"].partition("<|startofspeech|>")[0] for record in records]
    assert asked == [prompt.transcription_prompt(hotwords=["light", "lamp"]), "Write it down:"]
    (folder / "segments/utt2hotwords").write_text("u3 lamp\n")
    assert planned(folder, settings, "exp/e/data/train/s.jsonl") == {"scp2jsonl": 1}
    settings["data"]["test"] = {"s": "segments"}
    assert "decode" in planned(folder, settings, "exp/e/decode/base/s/text")


def test_a_hotword_may_begin_as_a_flag_does(settings, monkeypatch):
    config = recipe_config.check(settings | {"decode": {"hotwords": ["-able", "it is"]}})
    monkeypatch.setattr(sys, "argv", ["scp2jsonl.py", *sets.purpose(config, "test")])
    assert scp2jsonl.parse_args().hotwords == "-able,it is"


def test_a_source_that_does_not_exist_is_named(settings, data_dir):
    assert "transcribe names no recordings" in snakemake(data_dir.parent, settings, "transcribe", fails=True)
    settings["transcribe"] = {"talks": "nowhere"}
    assert "transcribe.talks: nowhere does not exist" in snakemake(data_dir.parent, settings, "transcribe", fails=True)


def test_the_toolkit_decodes_exported_models(settings, data_dir):
    settings["decode"] = {"engine": "funasr"}
    target = "exp/e/decode/base/s/text"
    if importlib.util.find_spec("funasr") is None:
        text = snakemake(data_dir.parent, settings, "--dry-run", target, fails=True)
        assert "engine funasr: the package funasr is not installed" in text
    else:
        plan = planned(data_dir.parent, settings, target)
        assert plan == {**CHECKED, "convert_toolkit": 1, "decode_settings": 1, "decode": 1}


def test_a_decoding_that_fails_is_named_with_its_log_and_one_that_lost_recordings_goes_on(settings, data_dir):
    """The exit status of recordings that cannot be read is nobody else's."""
    folder, target = data_dir.parent, "exp/e/decode/base/s/text"
    small_workflow.copy_recipe(folder / "recipe")
    code = folder / "recipe/scripts/recipe/decode/run.py"
    good = code.read_text()
    code.write_text(good.replace("found = engine.decode(", "raise ZeroDivisionError\n    found = engine.decode("))
    text = snakemake(folder, settings, target, fails=True)
    assert "exp/e/logs/decode/base.s.log" in text and "missing" not in text and "latency" not in text
    assert "ZeroDivisionError" in text
    code.write_text(good)
    (data_dir / "wav/spk0-utt0.wav").write_bytes(b"no audio")  # after the data stage has seen it
    snakemake(folder, settings, target)
    assert (folder / target).read_text().startswith("spk0-utt0\t\n")


def test_a_folder_is_accounted_for(settings, data_dir):
    folder = data_dir.parent
    (data_dir / "wav/notes.txt").write_text("no recording")
    settings["transcribe"] = {"talks": "data/wav"}
    snakemake(folder, settings, "transcribe")
    listed = (folder / "exp/e/transcribe/base/talks/rejects.tsv").read_text().splitlines()
    assert listed[0] == "key\tstage\treason\tdetail" and listed[1].startswith("data/wav/notes.txt\tdecode\tnot-audio\t")
