"""The CTC branch on its way between the toolkit's directory and HF's."""

import json
import re
import shutil

import made_ctc
import pytest
import torch
import yaml
from parity.toolkit_checkpoint import SIZES, write_tokenizer, write_toolkit_directory
from safetensors.torch import load_file

from recipe.convert import publish
from recipe.convert.run import convert
from recipe.files import RecipeError, sha256
from recipe.model import ctc

BRANCH = f"{ctc.FOLDER}/{ctc.WEIGHTS}"


@pytest.fixture
def source(tmp_path):
    """A toolkit directory with a branch, as ModelScope's."""
    write_toolkit_directory(tmp_path / "toolkit", ctc=True)
    return tmp_path / "toolkit"


def stored(directory):
    return torch.load(directory / "model.pt", weights_only=True)


def edit_tensors(directory, edit):
    torch.save(edit(stored(directory)), directory / "model.pt")


def edit_settings(directory, edit):
    file = directory / "config.yaml"
    settings = yaml.safe_load(file.read_text())
    edit(settings)
    file.write_text(yaml.safe_dump(settings))


def same(a, b):
    return a.keys() == b.keys() and all(a[n].dtype == b[n].dtype and torch.equal(a[n], b[n]) for n in a)


def facts(directory):
    return json.loads((directory / "recipe.json").read_text())


class TestThereAndBack:
    def test_nothing_is_lost(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf")
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        assert len([name for name in stored(source) if name.startswith(("ctc.", "ctc_decoder."))]) == 86
        assert same(stored(source), stored(tmp_path / "back"))
        name = "multilingual.tiktoken"
        assert (source / name).read_bytes() == (tmp_path / "back" / name).read_bytes()
        before, after = (yaml.safe_load((folder / "config.yaml").read_text()) for folder in (source, tmp_path / "back"))
        for entry in made_ctc.entries(SIZES["width"]):
            if entry != "dataset_conf":
                assert after[entry] == before[entry], entry
        stated = before["dataset_conf"]["ctc_tokenizer_conf"] | {"vocab_path": name}
        assert after["dataset_conf"]["ctc_tokenizer_conf"] == stated
        assert after["dataset_conf"]["ctc_target_normalize"] is True
        paths = json.loads((tmp_path / "back/configuration.json").read_text())["file_path_metas"]
        assert paths["dataset_conf"] == {"ctc_tokenizer_conf": {"vocab_path": name}}

    def test_hf_to_hf_gives_the_same_files(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf")
        convert(tmp_path / "hf", tmp_path / "again", "hf")
        files = {path.relative_to(tmp_path / "hf") for path in (tmp_path / "hf/ctc").rglob("*") if path.is_file()}
        assert len(files) == 3
        for file in files:
            assert (tmp_path / "hf" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()

    def test_the_branch_loads_beside_the_model(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf")
        branch = ctc.load(tmp_path / "hf", SIZES["width"])
        assert branch(torch.randn(1, 5, SIZES["width"]), torch.tensor([5])).shape == (1, 5, made_ctc.VOCABULARY)
        assert branch.tokens.decode(branch.tokens.encode("the light 把灯打开")) == "the light 把灯打开"
        assert not any("ctc" in name for name in load_file(tmp_path / "hf/model.safetensors"))

    def test_hashes_tell_what_it_was_made_of(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf")
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        assert facts(tmp_path / "hf")["converted_from"]["files"]["multilingual.tiktoken"]
        hashes = facts(tmp_path / "back")["converted_from"]["files"]
        for name in (BRANCH, "ctc/config.json", "ctc/multilingual.tiktoken"):
            assert hashes[name] == sha256(tmp_path / "hf" / name)
        assert facts(tmp_path / "back")["ctc"] == {"trained": False, "stale": False}

    def test_a_stale_branch_is_said_to_be_in_both_directories(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf")
        known = facts(tmp_path / "hf") | {"ctc": {"trained": False, "stale": True}}
        (tmp_path / "hf/recipe.json").write_text(json.dumps(known))
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        assert facts(tmp_path / "back")["ctc"]["stale"]
        assert "no longer fit" in (tmp_path / "back/README.md").read_text()

    def test_another_type_is_the_branch_s_too(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf", dtype="bfloat16")
        assert {tensor.dtype for tensor in load_file(tmp_path / "hf" / BRANCH).values()} == {torch.bfloat16}
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        assert same({n: t.bfloat16() for n, t in stored(source).items()}, stored(tmp_path / "back"))

    def test_an_earlier_conversion_is_replaced_with_its_branch(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf")
        plain = tmp_path / "plain"
        write_toolkit_directory(plain)
        convert(plain, tmp_path / "hf", "hf")
        assert not ctc.has_branch(tmp_path / "hf") and "ctc" not in facts(tmp_path / "hf")

    def test_all_of_it_is_uploaded(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf")
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        assert {BRANCH, "ctc/config.json", "ctc/multilingual.tiktoken"} <= publish.files(tmp_path / "hf").keys()
        assert "multilingual.tiktoken" in publish.files(tmp_path / "back")

    def test_a_tokenizer_of_transformers(self, source, tmp_path):
        """As a branch that training begins has it."""
        size = write_tokenizer(source / "tokens", tokenizer_class="TokenizersBackend")

        def edit(settings):
            settings["ctc_vocab_size"] = size + 1
            # Outside of dataset_conf, where the toolkit looks first, and by a path of another machine.
            settings["ctc_tokenizer"] = "HuggingfaceTokenizer"
            settings["ctc_tokenizer_conf"] = {"init_param_path": "/somewhere/tokens"}

        edit_settings(source, edit)
        cut = {"ctc.ctc_lo.weight", "ctc.ctc_lo.bias"}
        edit_tensors(source, lambda tensors: {n: t[: size + 1] if n in cut else t for n, t in tensors.items()})
        convert(source, tmp_path / "hf", "hf")
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        assert same(stored(source), stored(tmp_path / "back"))
        shutil.rmtree(source)  # nothing is left of it in the others
        text = "你好 thank you"
        tokens = ctc.load(tmp_path / "hf", SIZES["width"]).tokens
        assert tokens.size == size and tokens.decode(tokens.encode(text)) == text
        # Transformers 4 does not know the class of this name.
        named = json.loads((tmp_path / "back/ctc_tokenizer/tokenizer_config.json").read_text())
        assert named["tokenizer_class"] == "PreTrainedTokenizerFast"
        convert(tmp_path / "back", tmp_path / "again", "hf")
        assert ctc.load(tmp_path / "again", SIZES["width"]).tokens.encode(text) == tokens.encode(text)


class TestRefused:
    def one_wrong(self, source, tmp_path, said):
        with pytest.raises(RecipeError, match=said):
            convert(source, tmp_path / "hf", "hf")

    @pytest.mark.parametrize(
        ("edit", "said"),
        [
            (lambda t: t.pop("ctc_decoder.blocks.4.norm2.bias"), "ctc_decoder.blocks.4.norm2.bias: missing"),
            (lambda t: t.update({"ctc.ctc_lo.bias": torch.ones(3)}), "ctc.ctc_lo.bias: shape [3], by the settings ["),
            (lambda t: t.update({"ctc.more": torch.ones(3)}), "ctc.more: not a tensor of this model"),
        ],
    )
    def test_tensors_are_named(self, source, tmp_path, edit, said):
        def apply(tensors):
            edit(tensors)
            return tensors

        edit_tensors(source, apply)
        self.one_wrong(source, tmp_path, re.escape(said))

    @pytest.mark.parametrize(
        ("section", "values", "said"),
        [
            ("ctc_decoder_conf", {"downsample_rate": 2}, "ctc_decoder_conf.downsample_rate is 2; only 1"),
            ("ctc_conf", {"blank_id": 0}, "ctc_conf.blank_id is 0; only None"),
            ("dataset_conf", {"ctc_tokenizer": "CharTokenizer"}, "'CharTokenizer', known are SenseVoiceTokenizer"),
            ("dataset_conf", {"ctc_tokenizer_conf": "x"}, "ctc_tokenizer_conf is 'x', expected settings by name"),
        ],
    )
    def test_settings_are_named(self, source, tmp_path, section, values, said):
        edit_settings(source, lambda settings: settings[section].update(values))
        self.one_wrong(source, tmp_path, re.escape(said))

    def test_a_missing_vocabulary_is_named(self, source, tmp_path):
        (source / "multilingual.tiktoken").unlink()
        self.one_wrong(source, tmp_path, "CTC branch .* is not there: looked for .*multilingual.tiktoken")

    def test_a_branch_copied_in_part_is_named(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf")
        (tmp_path / "hf/ctc/multilingual.tiktoken").unlink()
        with pytest.raises(RecipeError, match=r"ctc/multilingual\.tiktoken: no such file"):
            convert(tmp_path / "hf", tmp_path / "back", "toolkit")


class TestWithout:
    def test_tensors_that_no_settings_name_are_left_out_and_said_to_be(self, source, tmp_path, caplog):
        edit_settings(source, lambda settings: settings.pop("ctc_decoder"))
        convert(source, tmp_path / "hf", "hf")
        assert not ctc.has_branch(tmp_path / "hf")
        assert "86 CTC tensors are left out" in caplog.text and "has no ctc_decoder" in caplog.text

    def test_settings_without_tensors_are_no_branch(self, source, tmp_path, caplog):
        """The hub's copy of the published model, and the one of 31 languages."""
        caplog.set_level("INFO")
        edit_tensors(source, lambda tensors: {n: t for n, t in tensors.items() if not n.startswith("ctc")})
        convert(source, tmp_path / "hf", "hf")
        assert not ctc.has_branch(tmp_path / "hf") and "has no CTC tensors" in caplog.text
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        assert "ctc_decoder" not in yaml.safe_load((tmp_path / "back/config.yaml").read_text())
