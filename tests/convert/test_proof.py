"""What is said, and what is refused, when the program that serves a converted directory decodes a sample of it."""

import logging
import os
import sys
from pathlib import Path

import pytest

import recipe.convert.run as conversion
from recipe.convert import proof
from recipe.convert.proof import ModelDirectory, Runtime
from recipe.files import RecipeError

# A runtime that writes the name of each key, but for as many of the first ones as the directory's file `wrong` says.
SERVER = """
import argparse, pathlib, sys
parser = argparse.ArgumentParser()
for name in ("--model-dir", "--scp-file", "--output-file", "--engine"):
    parser.add_argument(name)
args = parser.parse_args()
wrong = int((pathlib.Path(args.model_dir) / "wrong").read_text())
if wrong < 0:
    sys.exit("starting\\nserver: error: no such layer")
lines = open(args.scp_file).read().splitlines()
rows = [f"{line.split()[0]}\\t{'other' if i < wrong else line}" for i, line in enumerate(lines)]
if wrong > 16:
    rows = [f"{line.split()[0]}\\t" for line in lines]
open(args.output_file, "w").write("\\n".join(rows) + "\\n")
"""


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """Makes a directory of the kind "made", of whose texts so many are wrong."""
    (tmp_path / "server.py").write_text(SERVER)
    runtime = Runtime("json", ("--engine", "made"), str(tmp_path / "server.py"))
    absent = Runtime("no_such_package", (), str(tmp_path / "server.py"))
    monkeypatch.setattr(proof, "RUNTIMES", {"made": runtime, "absent": absent, "hf": runtime, "toolkit": runtime})

    def make(wrong: int, kind: str = "made", **more) -> ModelDirectory:
        path = tmp_path / f"model{wrong}"
        path.mkdir(exist_ok=True)
        (path / "wrong").write_text(str(wrong))
        return ModelDirectory(path, kind, path.name, **more)

    return make


def test_the_sample_is_16_recordings_of_two_sets_that_are_there():
    rows = [line.split(maxsplit=1) for line in proof._sample()]
    assert len({key for key, _ in rows}) == len({place for _, place in rows}) == 16
    assert all(Path(place).is_file() for _, place in rows)
    assert {key.split("-")[0] for key, _ in rows} == {"test", "test_general"}


@pytest.mark.parametrize("wrong, same", [(0, 16), (1, 15)])
def test_texts_that_agree_are_a_proof_and_the_one_that_may_differ_is_shown(wrong, same, directory, caplog):
    caplog.set_level(logging.INFO)
    assert proof.prove(directory(0), directory(wrong))
    assert f"model{wrong}: proven, decoded by json {same} of 16 texts are those of model0" in caplog.text
    assert ("'other' by model1" in caplog.text) == bool(wrong)


def test_texts_that_differ_are_refused(directory):
    with pytest.raises(RecipeError, match="model2: decoded by json, only 14 of 16 texts are those of model0"):
        proof.prove(directory(0), directory(2))


def test_rounded_weights_may_write_other_texts_and_how_many_is_said(directory, caplog):
    caplog.set_level(logging.INFO)
    assert proof.prove(directory(0), directory(9), rounded=True) and "7 of 16 texts" in caplog.text


def test_a_runtime_that_cannot_decode_the_directory_is_refused_with_its_last_word(directory):
    with pytest.raises(
        RecipeError, match=r"model-1: json cannot decode it \(server: error: no such layer\); tried: .*"
    ):
        proof.prove(directory(0), directory(-1))


@pytest.mark.parametrize(
    "expected, made, reason",
    [
        ((0, "made"), (1, "absent"), "no_such_package, which decodes model1, is not installed"),
        ((0, "absent"), (1, "made"), "no_such_package, which decodes model0, is not installed"),
        ((17, "made"), (18, "made"), "model17 has no text for any of 16 recordings"),
    ],
)
def test_what_could_not_be_tried_is_said(expected, made, reason, directory, caplog):
    made = directory(*made)
    assert not proof.prove(directory(*expected), made)
    assert f"{made.name}: NOT PROVEN" in caplog.text and reason in caplog.text


def test_a_recipe_without_its_recordings_says_so(directory, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(proof, "SAMPLE", (tmp_path / "gone",))
    assert not proof.prove(directory(0), directory(1)) and "gone" in caplog.text


def test_another_environment_is_asked_for_its_packages(directory, caplog):
    with pytest.raises(RecipeError, match="no/such/python: no Python that could be started"):
        proof.prove(directory(0), directory(1, python="no/such/python"))
    assert proof.prove(directory(0), directory(1, python=sys.executable))


def test_what_a_conversion_ran_with_is_not_overwritten_by_its_proof(directory, tmp_path, monkeypatch):
    monkeypatch.setenv("RECIPE_RECORD", str(tmp_path / "record.json"))
    (tmp_path / "server.py").write_text(SERVER + "\nimport os\nassert 'RECIPE_RECORD' not in os.environ\n")
    assert proof.prove(directory(0), directory(1)) and "RECIPE_RECORD" in os.environ


class TestConversion:
    @pytest.fixture
    def compared(self, monkeypatch):
        """(path, kind) of what the conversion compares, and what the log names it; `True` lets it refuse."""
        calls, refuse = [], []

        def prove(expected, made, rounded=False):
            assert all(one.path.is_dir() for one in (expected, made))
            calls.append((expected, made))
            if refuse:
                raise RecipeError("differs")
            return True

        monkeypatch.setattr(proof, "prove", prove)
        calls_and_refuse = calls, refuse
        return calls_and_refuse

    def test_a_directory_is_compared_with_the_source_before_it_appears(self, full_model, tmp_path, compared):
        calls, refuse = compared
        conversion.convert(full_model, tmp_path / "made", "toolkit", prove=True, python="other/python")
        [(expected, made)] = calls
        assert (expected.path, expected.kind, expected.python) == (Path(full_model), "hf", sys.executable)
        assert (made.kind, made.name, made.python) == ("toolkit", str(tmp_path / "made"), "other/python")
        refuse.append(True)
        with pytest.raises(RecipeError, match="differs"):
            conversion.convert(full_model, tmp_path / "refused", "toolkit", prove=True)
        assert sorted(os.listdir(tmp_path)) == ["made"]

    def test_replaced_weights_or_settings_are_compared_with_a_directory_that_has_them(
        self, full_model, tmp_path, compared
    ):
        options = {"dtype": "bfloat16", "audio_tokens": "low_frame_rate"}
        conversion.convert(full_model, tmp_path / "made", "toolkit", prove=True, **options)
        [(expected, _)] = compared[0]
        assert expected.path != Path(full_model) and expected.kind == "hf" and expected.python == sys.executable

    def test_a_toolkit_directory_is_decoded_by_the_toolkit_where_that_is(self, full_model, tmp_path, compared):
        conversion.convert(full_model, tmp_path / "toolkit", "toolkit")
        conversion.convert(tmp_path / "toolkit", tmp_path / "made", "hf", prove=True, python="other/python")
        [(expected, made)] = compared[0]
        assert (expected.kind, expected.python) == ("toolkit", "other/python")
        assert (made.kind, made.python) == ("hf", sys.executable)

    def test_nothing_proves_a_directory_whose_audio_tokens_were_replaced(self, full_model, tmp_path, compared, caplog):
        conversion.convert(full_model, tmp_path / "made", "hf", prove=True, audio_tokens="low_frame_rate")
        assert not compared[0] and "NOT PROVEN" in caplog.text
