"""Conversion between the toolkit's directory and HF's, on small random models."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
import torch
import yaml
from parity.toolkit_checkpoint import (
    QWEN_TOKENIZER,
    SIZES,
    toolkit_settings,
    write_tokenizer,
    write_toolkit_directory,
)
from safetensors.torch import load_file, save_file
from transformers import (
    AutoProcessor,
    AutoTokenizer,
    FunAsrNanoConfig,
    FunAsrNanoFeatureExtractor,
    FunAsrNanoForConditionalGeneration,
    FunAsrNanoProcessor,
)

import convert as command
from recipe import cli
from recipe.convert import init, toolkit
from recipe.convert.run import CHAT_TEMPLATE, convert, directory_kind
from recipe.files import RecipeError, sha256
from recipe.text.prompt import AUDIO_TOKEN, LANGUAGE_NAMES_ZH, SYSTEM, transcription_prompt

ROOT = Path(__file__).resolve().parents[2]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@pytest.fixture(scope="module")
def processor(tmp_path_factory):
    directory = tmp_path_factory.mktemp("template")
    write_toolkit_directory(directory / "toolkit")
    convert(directory / "toolkit", directory / "hf", "hf")
    return AutoProcessor.from_pretrained(directory / "hf")


@pytest.fixture
def source(tmp_path):
    """A toolkit directory with a small random model."""
    write_toolkit_directory(tmp_path / "toolkit")
    return tmp_path / "toolkit"


def write_hf_directory(directory: Path, **config) -> None:
    """An HF directory as transformers itself saves it, with a SentencePiece-like tokenizer."""
    vocabulary = write_tokenizer(directory, tokenizer_class="TokenizersBackend")
    tokenizer = AutoTokenizer.from_pretrained(directory)
    torch.manual_seed(0)
    model = FunAsrNanoForConditionalGeneration(hf_config(vocabulary, tokenizer, **config))
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, mean=float("norm" in name), std=0.2)
    model.save_pretrained(directory)
    processor = FunAsrNanoProcessor(FunAsrNanoFeatureExtractor(), tokenizer, chat_template=CHAT_TEMPLATE)
    processor.save_pretrained(directory)


def hf_config(vocabulary: int, tokenizer, tied: bool = True, **encoder) -> FunAsrNanoConfig:
    return FunAsrNanoConfig(
        audio_config={
            "model_type": "fun_asr_nano_encoder",
            "hidden_size": 48,
            "num_attention_heads": 4,
            "intermediate_size": 80,
            "num_hidden_layers": 4,
            "num_timestamp_prediction_layers": 1,
            **encoder,
        },
        adaptor_config={
            "hidden_size": 32,
            "intermediate_size": 8,
            "num_attention_heads": 4,
            "num_hidden_layers": 1,
            "projector_hidden_size": 40,
        },
        text_config={
            "model_type": "qwen3",
            "vocab_size": vocabulary,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "tie_word_embeddings": tied,
        },
        tie_word_embeddings=tied,
        audio_token_id=tokenizer.convert_tokens_to_ids(AUDIO_TOKEN),
    )


def settings_of(directory: Path) -> dict:
    """An HF configuration without what only says how it was stored and where a transcript ends."""
    config = FunAsrNanoConfig.from_pretrained(directory).to_dict()
    incidental = ("dtype", "_name_or_path", "architectures", "eos_token_id")
    for part in (config, config["audio_config"], config["adaptor_config"], config["text_config"]):
        for name in incidental:
            part.pop(name, None)
    return config


def edit_settings(directory: Path, **sections) -> None:
    """Replace values of config.yaml, section by section (or a plain value)."""
    file = directory / "config.yaml"
    settings = yaml.safe_load(file.read_text())
    for name, values in sections.items():
        settings[name] = settings[name] | values if isinstance(values, dict) else values
    file.write_text(yaml.safe_dump(settings))


def edit_tensors(directory: Path, edit) -> None:
    tensors = torch.load(directory / "model.pt", weights_only=True)
    torch.save(edit(tensors), directory / "model.pt")


def weights(directory: Path) -> dict[str, torch.Tensor]:
    """Tensors of a directory of either kind."""
    if (directory / "model.pt").exists():
        return torch.load(directory / "model.pt", weights_only=True)
    return load_file(directory / "model.safetensors")


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name


class TestFromToolkit:
    def test_every_tensor_loads_and_none_is_missing(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf")
        _, info = FunAsrNanoForConditionalGeneration.from_pretrained(
            tmp_path / "hf", attn_implementation="sdpa", output_loading_info=True
        )
        assert not any(info.values()), info

    def test_tensors_go_where_the_key_map_says(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf")
        old, new = weights(source), weights(tmp_path / "hf")
        layers, projector = "model.audio_tower.layers", "model.multi_modal_projector"
        fused = old["audio_encoder.encoders.1.self_attn.linear_q_k_v.bias"]
        width = SIZES["width"]
        for part, name in enumerate(("q_proj", "k_proj", "v_proj")):
            assert torch.equal(new[f"{layers}.2.self_attn.{name}.bias"], fused[part * width : (part + 1) * width])
        pairs = {
            "audio_encoder.encoders0.0.norm1.weight": f"{layers}.0.input_layernorm.weight",
            "audio_encoder.encoders.0.norm2.bias": f"{layers}.1.post_attention_layernorm.bias",
            "audio_encoder.tp_encoders.0.feed_forward.w_1.weight": f"{layers}.3.mlp.fc1.weight",
            "audio_encoder.tp_encoders.1.self_attn.fsmn_block.weight": f"{layers}.4.self_attn.fsmn.conv.weight",
            "audio_encoder.after_norm.weight": f"{layers}.2.final_layernorm.weight",
            "audio_encoder.tp_norm.bias": f"{layers}.4.final_layernorm.bias",
            "audio_adaptor.linear2.weight": f"{projector}.linear_2.weight",
            "audio_adaptor.blocks.1.self_attn.linear_k.bias": f"{projector}.layers.1.self_attn.k_proj.bias",
            "llm.model.layers.1.self_attn.q_norm.weight": "model.language_model.layers.1.self_attn.q_norm.weight",
        }
        for before, after in pairs.items():
            assert torch.equal(old[before], new[after]), (before, after)

    @pytest.mark.parametrize("low_frame_rate, mode", [(True, "low_frame_rate"), (False, "full")])
    def test_the_audio_token_setting_is_kept(self, low_frame_rate, mode, tmp_path):
        write_toolkit_directory(tmp_path / "toolkit", low_frame_rate=low_frame_rate)
        convert(tmp_path / "toolkit", tmp_path / "hf", "hf")
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        assert json.loads((tmp_path / "hf" / "recipe.json").read_text())["audio_tokens"] == mode
        settings = yaml.safe_load((tmp_path / "back" / "config.yaml").read_text())
        assert settings["audio_adaptor_conf"]["use_low_frame_rate"] is low_frame_rate

    def test_an_unstated_audio_token_setting_means_all_as_in_the_toolkit(self, source, tmp_path):
        settings = toolkit_settings()
        del settings["audio_adaptor_conf"]["use_low_frame_rate"]
        (source / "config.yaml").write_text(yaml.safe_dump(settings))
        convert(source, tmp_path / "hf", "hf")
        assert json.loads((tmp_path / "hf" / "recipe.json").read_text())["audio_tokens"] == "full"

    def test_an_output_layer_that_differs_from_the_embeddings_is_not_tied(self, tmp_path):
        # The multilingual variant: its config.json says tied, its tensors differ.
        tensors = write_toolkit_directory(tmp_path / "toolkit", tied=False)
        llm = tmp_path / "toolkit" / "Qwen3-0.6B" / "config.json"
        llm.write_text(json.dumps(json.loads(llm.read_text()) | {"tie_word_embeddings": True}))
        convert(tmp_path / "toolkit", tmp_path / "hf", "hf")
        model = FunAsrNanoForConditionalGeneration.from_pretrained(tmp_path / "hf", attn_implementation="sdpa")
        assert not model.config.tie_word_embeddings
        assert torch.equal(model.lm_head.weight, tensors["llm.lm_head.weight"])
        assert torch.equal(model.get_input_embeddings().weight, tensors["llm.model.embed_tokens.weight"])

    def test_a_tied_checkpoint_may_leave_out_the_output_layer(self, source, tmp_path):
        edit_tensors(source, lambda tensors: {k: v for k, v in tensors.items() if k != "llm.lm_head.weight"})
        convert(source, tmp_path / "hf", "hf")
        assert FunAsrNanoConfig.from_pretrained(tmp_path / "hf").tie_word_embeddings

    @pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
    def test_checkpoints_of_training_are_unwrapped(self, key, source, tmp_path):
        convert(source, tmp_path / "plain", "hf")
        edit_tensors(
            source,
            lambda tensors: {"epoch": 3, key: {f"module.{k}": v for k, v in tensors.items()}, "optimizer": {"lr": 0.1}},
        )
        convert(source, tmp_path / "wrapped", "hf")
        assert_same(weights(tmp_path / "wrapped"), weights(tmp_path / "plain"))

    def test_files_of_the_old_torch_format_are_read(self, source, tmp_path):
        tensors = weights(source)
        torch.save(tensors, source / "model.pt", _use_new_zipfile_serialization=False)
        convert(source, tmp_path / "hf", "hf")
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        assert_same(weights(tmp_path / "back"), tensors)

    def test_the_llm_folder_of_a_training_run_is_found(self, source, tmp_path):
        edit_settings(source, llm_conf={"init_param_path": "/root/.cache/models/Fun-ASR-Nano-2512/Qwen3-0.6B"})
        convert(source, tmp_path / "hf", "hf")
        assert (tmp_path / "hf" / "tokenizer.json").is_file()


class TestToToolkit:
    def test_the_directory_is_complete(self, tmp_path):
        write_hf_directory(tmp_path / "hf")
        convert(tmp_path / "hf", tmp_path / "toolkit", "toolkit")
        paths = json.loads((tmp_path / "toolkit" / "configuration.json").read_text())["file_path_metas"]
        named = [
            paths["init_param"],
            paths["config"],
            *(paths[name]["init_param_path"] for name in ("llm_conf", "tokenizer_conf")),
        ]
        assert all((tmp_path / "toolkit" / name).exists() for name in named)

    def test_a_missing_audio_token_setting_is_the_published_one(self, tmp_path):
        write_hf_directory(tmp_path / "hf")
        convert(tmp_path / "hf", tmp_path / "toolkit", "toolkit")
        settings = yaml.safe_load((tmp_path / "toolkit" / "config.yaml").read_text())
        assert settings["audio_adaptor_conf"]["use_low_frame_rate"] is True

    @pytest.mark.parametrize("tied", [True, False])
    def test_output_layer_and_embeddings_share_no_memory(self, tied, tmp_path):
        write_hf_directory(tmp_path / "hf", tied=tied)
        convert(tmp_path / "hf", tmp_path / "toolkit", "toolkit")
        tensors = weights(tmp_path / "toolkit")
        head, embeddings = tensors["llm.lm_head.weight"], tensors["llm.model.embed_tokens.weight"]
        assert head.untyped_storage().data_ptr() != embeddings.untyped_storage().data_ptr()
        assert torch.equal(head, embeddings) == tied
        # What the toolkit's vLLM path does with them.
        save_file({k: v for k, v in tensors.items() if k.startswith("llm.")}, tmp_path / "llm.safetensors")

    def test_the_weights_file_holds_the_tensors_and_nothing_else(self, tmp_path):
        write_hf_directory(tmp_path / "hf")
        convert(tmp_path / "hf", tmp_path / "toolkit", "toolkit")
        size = sum(tensor.numel() * tensor.element_size() for tensor in weights(tmp_path / "toolkit").values())
        assert (
            size < (tmp_path / "toolkit" / "model.pt").stat().st_size < size + 500 * len(weights(tmp_path / "toolkit"))
        )

    def test_decoding_ends_with_the_turn_and_keeps_full_precision(self, tmp_path):
        write_hf_directory(tmp_path / "hf")
        convert(tmp_path / "hf", tmp_path / "toolkit", "toolkit")
        llm = json.loads((tmp_path / "toolkit" / "Qwen3-0.6B" / "config.json").read_text())
        tokenizer = AutoTokenizer.from_pretrained(tmp_path / "toolkit" / "Qwen3-0.6B")
        assert llm["eos_token_id"] == tokenizer.convert_tokens_to_ids("<|im_end|>")
        assert yaml.safe_load((tmp_path / "toolkit" / "config.yaml").read_text())["llm_conf"]["llm_dtype"] == "fp32"

    def test_the_rotary_base_stands_where_transformers_4_and_5_read_it(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf")
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        llm = json.loads((tmp_path / "back" / "Qwen3-0.6B" / "config.json").read_text())
        assert llm["rope_theta"] == llm["rope_parameters"]["rope_theta"] == 1000000

    def test_sharded_weights_are_read(self, tmp_path):
        write_hf_directory(tmp_path / "hf")
        convert(tmp_path / "hf", tmp_path / "whole", "toolkit")
        model = FunAsrNanoForConditionalGeneration.from_pretrained(tmp_path / "hf", attn_implementation="sdpa")
        (tmp_path / "hf" / "model.safetensors").unlink()
        model.save_pretrained(tmp_path / "hf", max_shard_size="200KB")
        assert len(list((tmp_path / "hf").glob("*.safetensors"))) > 1
        convert(tmp_path / "hf", tmp_path / "sharded", "toolkit")
        assert_same(weights(tmp_path / "sharded"), weights(tmp_path / "whole"))
        lost = min((tmp_path / "hf").glob("*.safetensors"))
        lost.unlink()
        with pytest.raises(RecipeError, match=f"index.json: names {lost.name}, which is not there"):
            convert(tmp_path / "hf", tmp_path / "torn", "toolkit")

    @pytest.mark.parametrize(
        "encoder, key",
        [
            ({"num_timestamp_prediction_layers": 0}, "timestamp prediction layers"),
            ({"num_timestamp_prediction_layers": 4}, "timestamp prediction layers"),
            ({"hidden_act": "gelu"}, "audio_config.hidden_act"),
        ],
    )
    def test_a_network_that_the_toolkit_cannot_build_is_refused(self, encoder, key, tmp_path):
        write_hf_directory(tmp_path / "hf", **encoder)
        with pytest.raises(RecipeError, match=key):
            convert(tmp_path / "hf", tmp_path / "toolkit", "toolkit")


class TestRoundTrips:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("tied", [True, False])
    def test_toolkit_to_hf_and_back_is_bit_for_bit(self, dtype, tied, tmp_path):
        tensors = write_toolkit_directory(tmp_path / "toolkit", tied=tied, dtype=DTYPES[dtype])
        convert(tmp_path / "toolkit", tmp_path / "hf", "hf")
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        assert_same(weights(tmp_path / "back"), tensors)
        model = FunAsrNanoForConditionalGeneration.from_pretrained(tmp_path / "hf", attn_implementation="sdpa")
        assert model.dtype == DTYPES[dtype]

    @pytest.mark.parametrize(
        "sizes", [{"blocks": 1, "tp_blocks": 1}, {"blocks": 2, "tp_blocks": 4, "adaptor_blocks": 1}]
    )
    def test_other_numbers_of_blocks_too(self, sizes, tmp_path):
        tensors = write_toolkit_directory(tmp_path / "toolkit", **sizes)
        convert(tmp_path / "toolkit", tmp_path / "hf", "hf")
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        assert_same(weights(tmp_path / "back"), tensors)

    @pytest.mark.parametrize("tied", [True, False])
    def test_hf_to_toolkit_and_back_is_bit_for_bit(self, tied, tmp_path):
        write_hf_directory(tmp_path / "hf", tied=tied)
        convert(tmp_path / "hf", tmp_path / "toolkit", "toolkit")
        convert(tmp_path / "toolkit", tmp_path / "back", "hf")
        assert_same(weights(tmp_path / "back"), weights(tmp_path / "hf"))
        for name in ("model.safetensors", "tokenizer.json"):
            assert (tmp_path / "back" / name).read_bytes() == (tmp_path / "hf" / name).read_bytes(), name
        before, after = (settings_of(tmp_path / name) for name in ("hf", "back"))
        # The one setting that the toolkit has built in.
        assert after["adaptor_config"].pop("layer_norm_eps") == toolkit.ADAPTOR_LAYER_NORM_EPS
        assert before["adaptor_config"].pop("layer_norm_eps") == 1e-5
        assert after == before

    def test_tensors_of_mixed_types_keep_theirs(self, source, tmp_path):
        # The toolkit's training leaves a 16-bit language model beside a 32-bit encoder.
        edit_tensors(
            source, lambda tensors: {k: v.bfloat16() if k.startswith("llm.") else v for k, v in tensors.items()}
        )
        convert(source, tmp_path / "hf", "hf")
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        assert_same(weights(tmp_path / "back"), weights(source))
        # Nothing is rounded on loading: HF computes in the wider type, the toolkit keeps the LLM's.
        assert FunAsrNanoConfig.from_pretrained(tmp_path / "hf").dtype == torch.float32
        assert yaml.safe_load((tmp_path / "back" / "config.yaml").read_text())["llm_conf"]["llm_dtype"] == "bf16"

    def test_the_same_source_gives_the_same_bytes(self, source, tmp_path):
        for name in ("one", "two"):
            convert(source, tmp_path / name / "hf", "hf")
            convert(tmp_path / name / "hf", tmp_path / name / "toolkit", "toolkit")
        files = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
        assert len(files) > 12
        for path in files:
            assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes(), path.name


class TestTokenizers:
    def test_a_sentencepiece_tokenizer_survives_both_ways(self, tmp_path):
        # Beside a config.json of Qwen3, transformers would take a tokenizer of unstated class for Qwen's.
        write_hf_directory(tmp_path / "hf")
        convert(tmp_path / "hf", tmp_path / "toolkit", "toolkit")
        convert(tmp_path / "toolkit", tmp_path / "back", "hf")
        text = "语音转写：Thank you, it's 12.50 😀<|im_end|>\n"
        expected = AutoTokenizer.from_pretrained(tmp_path / "hf").encode(text)
        for written in (tmp_path / "toolkit" / "Qwen3-0.6B", tmp_path / "back"):
            tokenizer = AutoTokenizer.from_pretrained(written)
            assert tokenizer.encode(text) == expected
            assert tokenizer.decode(expected, skip_special_tokens=True) == "语音转写:Thank you, it's 12.50 😀\n"

    @pytest.mark.skipif(not QWEN_TOKENIZER.is_dir(), reason="Qwen's tokenizer is not here")
    def test_qwens_tokenizer_is_copied_byte_for_byte(self, tmp_path):
        write_toolkit_directory(tmp_path / "toolkit", tokenizer="qwen", hidden=16, head_dim=4)
        convert(tmp_path / "toolkit", tmp_path / "hf", "hf")
        for file in QWEN_TOKENIZER.iterdir():
            assert (tmp_path / "hf" / file.name).read_bytes() == file.read_bytes()
        assert FunAsrNanoConfig.from_pretrained(tmp_path / "hf").audio_token_id == 151646

    def test_a_tokenizer_without_the_audio_token_is_refused(self, source, tmp_path):
        file = source / "Qwen3-0.6B" / "tokenizer.json"
        file.write_text(file.read_text().replace(AUDIO_TOKEN, "<|something_else|>"))
        with pytest.raises(RecipeError, match="object_ref_start"):
            convert(source, tmp_path / "hf", "hf")

    def test_a_tokenizer_with_more_tokens_than_embeddings_is_refused(self, tmp_path):
        write_toolkit_directory(tmp_path / "toolkit")
        llm = tmp_path / "toolkit" / "Qwen3-0.6B" / "config.json"
        settings = json.loads(llm.read_text())
        fewer = settings["vocab_size"] - 1
        llm.write_text(json.dumps(settings | {"vocab_size": fewer}))
        cut = ("llm.lm_head.weight", "llm.model.embed_tokens.weight")
        edit_tensors(
            tmp_path / "toolkit", lambda tensors: tensors | {name: tensors[name][:fewer].clone() for name in cut}
        )
        with pytest.raises(RecipeError, match=f"embeddings for {fewer}"):
            convert(tmp_path / "toolkit", tmp_path / "hf", "hf")

    def test_a_tokenizer_that_adds_tokens_of_its_own_is_refused(self, tmp_path):
        # The toolkit encodes the pieces of a prompt with the tokenizer's own additions.
        write_hf_directory(tmp_path / "hf")
        file = tmp_path / "hf" / "tokenizer.json"
        settings = json.loads(file.read_text())
        end = {"id": "<|im_end|>", "ids": [settings["added_tokens"][2]["id"]], "tokens": ["<|im_end|>"]}
        settings["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<|im_end|>", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<|im_end|>": end},
        }
        file.write_text(json.dumps(settings))
        with pytest.raises(RecipeError, match="tokens"):
            convert(tmp_path / "hf", tmp_path / "toolkit", "toolkit")


class TestChatTemplate:
    @pytest.mark.parametrize("language", [None, "zh", "en", "ja"])
    @pytest.mark.parametrize("hotwords", [[], ["Fun-ASR", "阿里"]])
    @pytest.mark.parametrize("itn", [True, False])
    def test_it_writes_the_published_prompts(self, processor, language, hotwords, itn):
        # The items that the processor's `apply_transcription_request` makes.
        items = [{"type": "audio", "path": "a.wav"}]
        items += [{"type": "keywords", "keywords": hotwords}] if hotwords else []
        items += [{"type": "language", "language": LANGUAGE_NAMES_ZH[language]}] if language else []
        text = processor.apply_chat_template([{"role": "user", "content": items}], add_generation_prompt=True, itn=itn)
        prompt = transcription_prompt("zh", language, itn, hotwords)
        assert text == (
            f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{prompt}{AUDIO_TOKEN}<|im_end|>\n"
            "<|im_start|>assistant\n"
        )

    def test_plain_messages_and_a_system_message_stay_as_they_are(self, processor):
        messages = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
            {"role": "assistant", "content": "Hi."},
        ]
        assert processor.apply_chat_template(messages) == (
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
            "<|im_start|>assistant\nHi.<|im_end|>\n"
        )


class TestStrictness:
    def refused(self, source, tmp_path, *words):
        """The conversion fails, its message has all `words`, and nothing is left behind."""
        with pytest.raises(RecipeError) as error:
            convert(source, tmp_path / "out" / "hf", "hf")
        for word in words:
            assert word in str(error.value)
        assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())

    def test_a_missing_tensor_is_named(self, source, tmp_path):
        name = "audio_encoder.tp_encoders.1.norm2.bias"
        edit_tensors(source, lambda tensors: {k: v for k, v in tensors.items() if k != name})
        self.refused(source, tmp_path, "model.pt", f"{name}: missing")

    def test_an_unknown_tensor_is_named(self, source, tmp_path):
        edit_tensors(source, lambda tensors: tensors | {"audio_encoder.extra.weight": torch.zeros(3)})
        self.refused(source, tmp_path, "audio_encoder.extra.weight", "not a tensor of this model")

    def test_a_shape_that_does_not_fit_the_settings_is_named(self, source, tmp_path):
        edit_settings(source, audio_adaptor_conf={"ffn_dim": 100})
        self.refused(source, tmp_path, "audio_adaptor.linear1.weight", "[96, 64]", "[100, 64]")

    @pytest.mark.parametrize("blocks", [2, 4])
    def test_a_number_of_blocks_that_does_not_fit_is_an_error(self, blocks, source, tmp_path):
        edit_settings(source, audio_encoder_conf={"num_blocks": blocks})
        self.refused(source, tmp_path, "audio_encoder.encoders.")

    def test_something_else_than_tensors_is_named(self, source, tmp_path):
        edit_tensors(source, lambda tensors: tensors | {"llm.steps": 7})
        self.refused(source, tmp_path, "model.pt", "llm.steps (int)")

    def test_tensors_of_integers_are_refused(self, source, tmp_path):
        name = "llm.model.norm.weight"
        edit_tensors(source, lambda tensors: tensors | {name: tensors[name].to(torch.int8)})
        self.refused(source, tmp_path, name, "int8")

    @pytest.mark.parametrize(
        "section, values, words",
        [
            ("audio_adaptor_conf", {"downsample_rate": 2}, "downsample_rate is 2"),
            ("audio_encoder_conf", {"tp_blocks": 0}, "tp_blocks 0"),
            ("audio_encoder_conf", {"num_blocks": "many"}, "num_blocks is 'many', expected a whole number"),
            ("audio_encoder_conf", {"num_blocks": True}, "num_blocks is True, expected a whole number"),
            ("audio_adaptor_conf", {"use_low_frame_rate": "yes please"}, "expected true or false"),
            ("llm_conf", {"use_lora": True}, "use_lora is True"),
            ("frontend_conf", {"cmvn_file": "am.mvn"}, "cmvn_file is 'am.mvn'"),
            ("model", "SenseVoiceSmall", "model is 'SenseVoiceSmall'"),
            ("llm_conf", {"init_param_path": "elsewhere"}, ""),
        ],
    )
    def test_settings_without_a_counterpart_are_refused(self, section, values, words, source, tmp_path):
        edit_settings(source, **{section: values})
        if words:
            self.refused(source, tmp_path, "config.yaml", words)
        else:  # the published folder name is found all the same
            convert(source, tmp_path / "hf", "hf")

    def test_a_missing_weights_file_names_the_others(self, source, tmp_path):
        (source / "model.pt").rename(source / "model.pt.ep3")
        self.refused(source, tmp_path, "model.pt: no such file", "model.pt.ep3")

    def test_a_damaged_weights_file_is_an_error_of_one_line(self, source, tmp_path):
        content = (source / "model.pt").read_bytes()
        (source / "model.pt").write_bytes(content[: len(content) // 2])
        self.refused(source, tmp_path, "model.pt")

    def test_code_in_a_weights_file_is_not_run(self, source, tmp_path):
        marker = tmp_path / "ran"

        class Attack:
            def __reduce__(self):
                return os.mkdir, (str(marker),)

        torch.save(weights(source) | {"extra": Attack()}, source / "model.pt", pickle_module=pickle)
        self.refused(source, tmp_path, "model.pt", "refused")
        assert not marker.exists()

    def test_an_hf_tensor_that_does_not_belong_is_named(self, tmp_path):
        write_hf_directory(tmp_path / "hf")
        save_file(weights(tmp_path / "hf") | {"model.stray": torch.zeros(2)}, tmp_path / "hf" / "model.safetensors")
        with pytest.raises(RecipeError, match=r"model\.stray: not a tensor of this model"):
            convert(tmp_path / "hf", tmp_path / "toolkit", "toolkit")

    @pytest.mark.parametrize("name", ["tokenizer.json", "processor_config.json", "model.safetensors"])
    def test_an_incomplete_hf_directory_is_refused(self, name, tmp_path):
        write_hf_directory(tmp_path / "hf")
        (tmp_path / "hf" / name).unlink()
        with pytest.raises(RecipeError, match=str(tmp_path / "hf")):
            convert(tmp_path / "hf", tmp_path / "toolkit", "toolkit")

    def test_a_configuration_that_contradicts_itself_is_refused(self, tmp_path):
        write_hf_directory(tmp_path / "hf")
        file = tmp_path / "hf" / "config.json"
        config = json.loads(file.read_text())
        config["adaptor_config"]["hidden_size"] = 40
        file.write_text(json.dumps(config))
        with pytest.raises(RecipeError, match="hidden_size"):
            convert(tmp_path / "hf", tmp_path / "toolkit", "toolkit")

    def test_a_directory_of_neither_kind_is_refused(self, tmp_path):
        with pytest.raises(RecipeError, match="no such directory"):
            directory_kind(tmp_path / "nowhere")
        with pytest.raises(RecipeError, match="neither"):
            directory_kind(tmp_path)
        (tmp_path / "config.json").write_text('{"model_type": "whisper"}')
        with pytest.raises(RecipeError, match="'whisper'"):
            directory_kind(tmp_path)


class TestOptions:
    def test_another_type_rounds_each_tensor_once(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf", dtype="bfloat16")
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        assert_same(weights(tmp_path / "back"), {name: t.bfloat16() for name, t in weights(source).items()})

    def test_a_value_too_large_for_float16_is_an_error(self, source, tmp_path):
        edit_tensors(source, lambda tensors: tensors | {"llm.model.norm.weight": torch.full((64,), 1e6)})
        with pytest.raises(RecipeError, match=r"language_model\.norm\.weight"):
            convert(source, tmp_path / "hf", "hf", dtype="float16")

    def test_the_audio_token_setting_can_be_replaced(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf", audio_tokens="full")
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        settings = yaml.safe_load((tmp_path / "back" / "config.yaml").read_text())
        assert settings["audio_adaptor_conf"]["use_low_frame_rate"] is False

    def test_a_directory_can_be_rewritten_in_its_own_kind(self, source, tmp_path):
        convert(source, tmp_path / "one", "hf")
        convert(tmp_path / "one", tmp_path / "two", "hf", dtype="bfloat16")
        assert {tensor.dtype for tensor in weights(tmp_path / "two").values()} == {torch.bfloat16}

    def test_where_a_model_comes_from_is_carried_along(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf")
        file = tmp_path / "hf" / "recipe.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"settings": {"lr": 1e-5}}))
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        facts = json.loads((tmp_path / "back" / "recipe.json").read_text())
        assert facts["settings"] == {"lr": 1e-5} and facts["format"] == 1
        origin = facts["converted_from"]
        assert origin["source"] == "hf" and "model.safetensors" in origin["files"]
        assert origin["converted_from"]["source"] == "toolkit"
        assert origin["converted_from"]["files"]["model.pt"] == sha256(source / "model.pt")


class TestTarget:
    def test_an_earlier_conversion_is_replaced(self, source, tmp_path):
        (tmp_path / "hf").mkdir()
        for mode in ("full", "low_frame_rate"):
            convert(source, tmp_path / "hf", "hf", audio_tokens=mode)
            (tmp_path / "hf" / "model.safetensors").unlink()  # as Snakemake does before a rule runs again
        convert(source, tmp_path / "hf", "hf")
        assert (tmp_path / "hf" / "model.safetensors").is_file()

    def test_directories_with_other_files_are_not_touched(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf")
        (tmp_path / "hf" / "thesis.txt").write_text("years of work")
        with pytest.raises(RecipeError, match=r"thesis\.txt"):
            convert(source, tmp_path / "hf", "hf")
        assert (tmp_path / "hf" / "thesis.txt").read_text() == "years of work"

    def test_a_copy_of_the_llm_made_for_vllm_is_not_left_beside_new_weights(self, source, tmp_path):
        convert(source, tmp_path / "served", "toolkit")
        (tmp_path / "served" / "Qwen3-0.6B-vllm").mkdir()
        (tmp_path / "served" / "Qwen3-0.6B-vllm" / "model.safetensors").write_bytes(b"old")
        with pytest.raises(RecipeError, match=r"Qwen3-0\.6B-vllm"):
            convert(source, tmp_path / "served", "toolkit")

    def test_source_and_target_may_not_be_the_same(self, source):
        with pytest.raises(RecipeError, match="same directory"):
            convert(source, source / ".." / source.name, "hf")

    def test_no_file_names_a_path_of_this_machine(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf")
        convert(tmp_path / "hf", tmp_path / "back", "toolkit")
        for file in [*(tmp_path / "hf").rglob("*"), *(tmp_path / "back").rglob("*")]:
            assert not file.is_file() or str(tmp_path).encode() not in file.read_bytes(), file

    def test_others_may_read_what_was_written(self, source, tmp_path):
        convert(source, tmp_path / "hf", "hf")
        umask = os.umask(0)
        os.umask(umask)
        for file in (tmp_path / "hf").iterdir():
            assert file.stat().st_mode & 0o777 == 0o666 & ~umask, file


def test_the_command_line_converts_and_reports_errors_in_one_line(source, tmp_path, monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["convert.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.run(command.main)
        return ended.value.code

    assert call("--to", "hf", source, tmp_path / "hf", "--dtype", "bfloat16", "--audio-tokens", "full") == 0
    assert json.loads((tmp_path / "hf" / "recipe.json").read_text())["audio_tokens"] == "full"
    capsys.readouterr()
    assert call("--to", "toolkit", tmp_path / "nowhere", tmp_path / "out") == 2
    assert capsys.readouterr().err == f"convert.py: error: {tmp_path / 'nowhere'}: no such directory\n"


@pytest.mark.slow
def test_a_model_of_full_size_converts_loads_and_decodes_within_24_gb(tmp_path):
    """830 M random bf16 weights; takes about 8 GB of disk. Memory is that of a process of its own."""
    probe = ROOT / "tests" / "parity" / "full_size.py"
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'scripts'}{os.pathsep}{ROOT / 'tests'}"}
    result = subprocess.run([sys.executable, probe, tmp_path], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout.splitlines()[-1])
    assert 820e6 < report["parameters"] < 840e6
    assert report["tokens_low_frame_rate"] > 0 and report["tokens_full"] > 0
    assert report["peak_bytes"] < 24e9


class TestToVllm:
    """What vLLM's own class has built in; tests/serving runs it."""

    FITTING: ClassVar = {"width": 512, "projector": 2048, "hidden": 1024, "adaptor_heads": 8}

    @pytest.mark.parametrize(
        "sizes, key",
        [
            ({}, "audio_config.hidden_size is 64, but .* 512 built in"),
            ({**FITTING, "projector": 96}, "adaptor_config.projector_hidden_size is 96, but .* 2048"),
            ({**FITTING, "adaptor_heads": 4}, "adaptor_config.num_attention_heads is 4, but .* 8"),
            ({**FITTING, "adaptor_blocks": 1}, "adaptor_config.num_hidden_layers is 1, but .* 2"),
        ],
    )
    def test_other_sizes_are_refused_before_anything_is_written(self, sizes, key, tmp_path):
        write_toolkit_directory(tmp_path / "toolkit", **sizes)
        with pytest.raises(RecipeError, match=key):
            convert(tmp_path / "toolkit", tmp_path / "out", "vllm")
        assert [path.name for path in tmp_path.iterdir()] == ["toolkit"]

    def test_all_audio_tokens_are_refused(self, tmp_path):
        write_toolkit_directory(tmp_path / "toolkit", low_frame_rate=False, **self.FITTING)
        with pytest.raises(RecipeError, match=r"audio tokens are full, but .* always takes low_frame_rate"):
            convert(tmp_path / "toolkit", tmp_path / "out", "vllm")

    def test_the_directory_has_the_toolkits_tensors_and_the_audio_token_of_vllm(self, tmp_path, caplog):
        stored = write_toolkit_directory(tmp_path / "toolkit", low_frame_rate=True, **self.FITTING)
        convert(tmp_path / "toolkit", tmp_path / "out", "vllm")
        assert "no padding mask" in caplog.text
        expected = {name: tensor for name, tensor in stored.items() if name != "llm.lm_head.weight"}  # tied
        assert_same(load_file(tmp_path / "out/model.safetensors"), expected)
        config = json.loads((tmp_path / "out/config.json").read_text())
        assert config["architectures"] == ["FunASRForConditionalGeneration"] and config["model_type"] == "qwen3"
        sizes = config["audio_encoder_conf"]
        assert (sizes["output_size"], sizes["num_blocks"], sizes["tp_blocks"]) == (512, 3, 2)
        before, after = (
            AutoTokenizer.from_pretrained(path) for path in (tmp_path / "toolkit/Qwen3-0.6B", tmp_path / "out")
        )
        assert after.convert_tokens_to_ids("<|AUDIO|>") == before.convert_tokens_to_ids(AUDIO_TOKEN)
        assert AUDIO_TOKEN not in after.get_vocab()
        assert {"model.safetensors", "preprocessor_config.json", "recipe.json", "README.md"} <= set(
            os.listdir(tmp_path / "out")
        )
        with pytest.raises(RecipeError, match="made for vLLM's class"):
            convert(tmp_path / "out", tmp_path / "back", "hf")


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"llm_heads": 7}, "llm_width is 144, expected a multiple of llm_heads, 7"),
        ({"llm_kv_heads": 3}, "llm_heads is 4, expected a multiple of llm_kv_heads, 3"),
        ({"encoder_heads": 5}, "encoder_width is 144, expected a multiple of encoder_heads, 5"),
        ({"llm_layers": 0}, "llm_layers is 0, expected a whole number of 1 or more"),
    ],
)
def test_sizes_that_no_model_can_have_are_refused(sizes, words):
    with pytest.raises(ValueError, match=words):
        init.Sizes(**sizes)
