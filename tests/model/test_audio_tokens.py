"""The audio token setting of a model: stated by its directory, or assumed loudly and on record."""

import json
import logging
import shutil

import pytest
from conftest import ROOT

from recipe import record
from recipe.convert.run import convert
from recipe.files import RecipeError, read_json
from recipe.model import directory, network
from recipe.report import findings
from recipe.report.training import Training


@pytest.fixture
def unstated(tmp_path, monkeypatch):
    """An HF directory as transformers writes it."""
    monkeypatch.setattr(record, "_assumptions", {})
    shutil.copytree(ROOT / "models/tiny", tmp_path / "unstated", ignore=shutil.ignore_patterns("recipe.json"))
    return tmp_path / "unstated"


def assumed(caplog):
    return [entry.getMessage() for entry in caplog.records if entry.getMessage().startswith("ASSUMED")]


def test_what_nothing_states_is_assumed_loudly_once_and_on_record(unstated, tmp_path, caplog):
    for _ in range(2):
        assert network.load(unstated).audio_tokens == "low_frame_rate"
    [said] = assumed(caplog)
    assert caplog.records[0].levelno == logging.WARNING
    assert str(unstated) in said and "low_frame_rate" in said and "full" in said
    assert "model.audio_tokens" in said and "--audio-tokens" in said
    record.write(tmp_path / "record.json")
    assert read_json(tmp_path / "record.json")["assumed"] == [said.removeprefix("ASSUMED: ")]


def test_what_is_stated_is_not_assumed(unstated, tmp_path, caplog):
    assert network.load(unstated, "full").audio_tokens == "full"
    (unstated / "recipe.json").write_text(json.dumps({"audio_tokens": "full"}))
    assert network.load(unstated).audio_tokens == directory.stated_audio_tokens(unstated) == "full"
    assert directory.ASSUMED not in directory.origin(unstated)
    record.write(tmp_path / "record.json")
    assert assumed(caplog) == [] and "assumed" not in read_json(tmp_path / "record.json")
    (unstated / "recipe.json").write_text(json.dumps({"audio_tokens": "half"}))
    with pytest.raises(RecipeError, match="audio_tokens is 'half', expected one of low_frame_rate, full"):
        network.load(unstated)


@pytest.mark.parametrize("kind", ["hf", "toolkit"])
def test_a_conversion_hands_on_that_it_was_assumed(unstated, tmp_path, caplog, kind):
    convert(unstated, tmp_path / "made", kind)
    assert len(assumed(caplog)) == 1
    facts = read_json(tmp_path / "made/recipe.json")
    assert facts["audio_tokens"] == "low_frame_rate" and facts["audio_tokens_assumed"] is True
    if kind == "hf":
        record._assumptions.clear()
        assert network.load(tmp_path / "made").audio_tokens == "low_frame_rate"
        assert str(tmp_path / "made") in assumed(caplog)[1], "every stage that uses it says so"


def test_a_conversion_states_it(unstated, tmp_path, caplog):
    convert(unstated, tmp_path / "made", "hf", audio_tokens="full")
    assert network.load(tmp_path / "made").audio_tokens == "full"
    assert assumed(caplog) == [] and "audio_tokens_assumed" not in read_json(tmp_path / "made/recipe.json")


def test_a_trained_model_states_it_and_tells_what_was_assumed_of_its_base(unstated, tmp_path):
    base = directory.origin(unstated)
    assert base["audio_tokens_assumed"] == "low_frame_rate"
    recognizer = network.load(unstated)
    recognizer.save(tmp_path / "trained", {"base": base})
    assert directory.stated_audio_tokens(tmp_path / "trained") == "low_frame_rate"
    runs = [Training(name, {}, [], read_json(tmp_path / "trained/recipe.json")) for name in ("a", "b")]
    [told] = [finding for finding in findings._training(runs) if "assumed" in finding]
    assert str(unstated) in told and "low_frame_rate is assumed" in told
    assert not [
        finding for finding in findings._training([Training("c", {}, [], {"base": None})]) if "assumed" in finding
    ]
