"""Engines other than transformers: what they are asked for, with the package that they import made up."""

import os
import sys
import tomllib
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT

from recipe.decode import engines, served
from recipe.decode.engines import Instruction
from recipe.files import RecipeError
from recipe.settings.data import PromptSettings
from recipe.settings.decode import PLUGIN, PLUGIN_PACKAGE, DecodeSettings
from recipe.text import prompt

WAVE = np.linspace(-0.5, 0.5, 16000, dtype=np.float32)
ASKED = Instruction(prompt.transcription_prompt("zh", "en", False, ("Tom", "espresso")))


@pytest.fixture
def calls():
    return []


@pytest.fixture
def funasr(monkeypatch, calls):
    class AutoModel:
        def __init__(self, **options):
            calls.append(("load", options))
            self.kwargs = {"tokenizer": SimpleNamespace(encode=str.split)}

        def generate(self, **options):
            calls.append(("generate", options))
            return [{"key": options["key"][0], "text": "turn on the light"}]

    module = ModuleType("funasr")
    module.__spec__ = ModuleSpec("funasr", None)
    module.AutoModel = AutoModel
    monkeypatch.setitem(sys.modules, "funasr", module)


def test_memory_for_shapes_is_limited_unless_the_user_says_otherwise(full_model, monkeypatch):
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", raising=False)
    monkeypatch.setenv("LRU_CACHE_CAPACITY", "1000")
    engines.load("transformers", full_model)
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "64" and os.environ["LRU_CACHE_CAPACITY"] == "1000"


def test_funasr_gets_hotwords_and_language_as_it_knows_them_and_no_dither(funasr, calls):
    engine = engines.load("funasr", "exported")
    outputs = engine.decode([engine.prepare("u1", WAVE, ASKED), engine.prepare("u2", WAVE, ASKED)], [10, 4])
    assert [output.ended for output in outputs] == ["eos", "length"]
    assert outputs[0].text == "turn on the light" and len(outputs[0].tokens) == 4
    assert calls[0][1]["model"] == "exported" and calls[0][1]["frontend_conf"] == {"dither": 0.0}
    asked = calls[1][1]
    assert np.array_equal(asked.pop("input")[0].numpy(), WAVE)
    assert asked == {
        "key": ["u1"], "batch_size": 1, "hotwords": ["Tom", "espresso"], "language": "英文", "itn": False,
        "max_length": 10,
    }  # fmt: skip


def test_funasr_passes_a_repetition_penalty_on(funasr, calls):
    engine = engines.load("funasr", "exported")
    engine.decode([engine.prepare("u1", WAVE, ASKED)], [10], 1.2)
    assert calls[-1][1]["llm_kwargs"] == {"repetition_penalty": 1.2}
    assert engine.tokens_over(ASKED, 1000.0, 10**6) == 0


@pytest.mark.parametrize(
    "asked", [Instruction("Speech transcription: "), Instruction("请转写："), Instruction(ASKED.text, "谢谢")]
)
def test_funasr_refuses_words_that_it_does_not_have(funasr, asked):
    with pytest.raises(RecipeError, match=r"u: engine funasr .* Chinese"):
        engines.load("funasr", "exported").prepare("u", WAVE, asked)


def test_an_engine_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "funasr", None)
    with pytest.raises(RecipeError, match=r"engine funasr: .*install"):
        engines.load("funasr", "exported")


def test_an_unknown_engine_is_refused_with_those_that_there_are():
    with pytest.raises(RecipeError, match="engine vosk: expected one of transformers, funasr, vllm"):
        engines.load("vosk", "served")


@pytest.mark.parametrize("asked", [{"beams": 4}, {"dtype": "float32"}, {"cuda_graph": True}])
def test_what_other_engines_cannot_do_is_refused(asked):
    with pytest.raises(RecipeError, match="engine funasr"):
        engines.load("funasr", "exported", **asked)


class TestVllm:
    """The guards, without vLLM; tests/serving has the rest."""

    @pytest.fixture
    def installed(self, monkeypatch):
        module = ModuleType("vllm")
        module.__spec__ = ModuleSpec("vllm", None)
        monkeypatch.setitem(sys.modules, "vllm", module)
        monkeypatch.delenv("VLLM_PLUGINS", raising=False)

    def test_it_is_refused_without_the_plugin(self, installed, full_model):
        with pytest.raises(RecipeError, match=r"fun-asr-nano-vllm is not installed.*pip install ./plugins/vllm"):
            engines.load("vllm", full_model)

    def test_it_is_refused_if_the_plugin_is_left_out(self, installed, full_model, monkeypatch):
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group, name: [name])
        monkeypatch.setenv("VLLM_PLUGINS", "other,another")
        with pytest.raises(RecipeError, match="VLLM_PLUGINS is 'other,another' and leaves fun_asr_nano out"):
            engines.load("vllm", full_model)
        monkeypatch.setenv("VLLM_PLUGINS", "other,fun_asr_nano")
        assert served.inspect(full_model).options == {"max_model_len": 4096, "limit_mm_per_prompt": {"audio": 1}}

    def test_the_entry_point_and_the_package_are_those_that_are_looked_for(self):
        project = tomllib.loads((ROOT / "plugins/vllm/pyproject.toml").read_text())["project"]
        assert project["name"] == PLUGIN_PACKAGE
        assert PLUGIN in project["entry-points"]["vllm.general_plugins"]

    def test_a_toolkit_directory_and_more_beams_are_refused(self, installed, full_model, tmp_path):
        (tmp_path / "config.yaml").write_text("{}")
        with pytest.raises(RecipeError, match="toolkit directory; convert it"):
            engines.load("vllm", str(tmp_path))
        with pytest.raises(RecipeError, match="beams"):
            engines.load("vllm", full_model, beams=2)

    @pytest.mark.parametrize(
        "more, words", [({"beams": 2}, "beams is 2"), ({"retry_penalty": 1.2}, "retry_penalty is 1.2")]
    )
    def test_settings_that_it_cannot_follow_are_named(self, more, words):
        assert words in DecodeSettings(engine="vllm", **more).contradiction(PromptSettings())
