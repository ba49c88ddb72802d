"""What convert.py writes for other runtimes, as far as it is seen without them: tokens, refusals, bins."""

import subprocess
import sys

import pytest
import torch
import torchaudio
import yaml
from conftest import ROOT, SENTENCES
from parity.toolkit_checkpoint import QWEN_TOKENIZER, write_tokenizer, write_toolkit_directory
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from recipe.convert import byte_level, onnx
from recipe.convert.byte_level import ByteLevelVocabulary
from recipe.convert.init import CHAT_TOKENS
from recipe.convert.run import convert
from recipe.files import RecipeError
from recipe.model.features import stack
from recipe.model.network import audio_token_count
from recipe.settings import export
from recipe.settings.train import LOW_FRAME_RATE
from recipe.text.prompt import PromptEncoder, transcription_prompt

PROMPT = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n" + transcription_prompt()
BYTES = {character: byte for byte, character in byte_level._ALPHABET.items()}


@pytest.fixture(scope="module")
def bpe():
    """A byte-level BPE of a few hundred tokens with the chat tokens, as Qwen's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(byte_level.tokenizers.Regex(byte_level._WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=list(CHAT_TOKENS), initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator([*SENTENCES, *byte_level.prompts()] * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")


@pytest.fixture(scope="module")
def bundled():
    return AutoTokenizer.from_pretrained(ROOT / "models/tiny")


def text_of(vocabulary: ByteLevelVocabulary, tokens: list[int]) -> str:
    """What a runtime writes of tokens: their bytes, one after the other."""
    return bytes(BYTES[letter] for token in tokens for letter in vocabulary.tokens[token]).decode()


class TestByteLevel:
    @pytest.mark.parametrize("name", ["bpe", "bundled"])
    def test_the_plain_prompt_is_what_the_model_was_trained_with(self, name, request):
        tokenizer = request.getfixturevalue(name)
        vocabulary = byte_level.byte_level(tokenizer, name)
        [before, after] = vocabulary.encode([PROMPT, "<|im_end|>\n<|im_start|>assistant\n"])
        assert before + after == PromptEncoder(tokenizer).encode(transcription_prompt(), 0).input_ids

    @pytest.mark.parametrize("name", ["bpe", "bundled"])
    @pytest.mark.parametrize("text", [*SENTENCES, "naïve 45% 日本語 🎉"])
    def test_tokens_of_a_transcript_are_written_as_the_text_they_are_of(self, name, text, request):
        tokenizer = request.getfixturevalue(name)
        vocabulary = byte_level.byte_level(tokenizer, name)
        assert text_of(vocabulary, tokenizer(text, add_special_tokens=False)["input_ids"]) == text

    def test_a_bpe_keeps_its_merges_and_every_prompt(self, bpe, caplog):
        vocabulary = byte_level.byte_level(bpe, "bpe")
        assert None not in vocabulary.tokens and not caplog.text
        words = "turn on 45% 灯 and 不进行文本规整"
        assert vocabulary.encode([words])[0] == bpe(words)["input_ids"]

    def test_prompts_that_a_unigram_model_cannot_ask_with_are_said(self, bundled, caplog):
        byte_level.byte_level(bundled, "models/tiny")
        assert "of 64 published prompts would be other tokens" in caplog.text

    def test_another_kind_of_tokenizer_is_refused(self):
        words = Tokenizer(models.WordLevel({token: number for number, token in enumerate(["a", *CHAT_TOKENS])}, "a"))
        with pytest.raises(RecipeError, match="mine: its tokenizer is of type WordLevel; only byte-level BPE"):
            byte_level.byte_level(PreTrainedTokenizerFast(tokenizer_object=words), "mine")

    def test_a_tokenizer_that_changes_the_prompt_is_refused(self, bpe):
        other = Tokenizer.from_str(bpe.backend_tokenizer.to_str())
        other.normalizer = normalizers.Lowercase()
        with pytest.raises(RecipeError, match="would turn the prompt '语音转写：' into other tokens"):
            byte_level.byte_level(PreTrainedTokenizerFast(tokenizer_object=other), "mine")

    @pytest.mark.slow
    @pytest.mark.skipif(not QWEN_TOKENIZER.is_dir(), reason="needs ../shared")
    def test_the_published_tokenizer_asks_with_every_prompt(self, tmp_path, caplog):
        write_tokenizer(tmp_path, "qwen")
        byte_level.byte_level(AutoTokenizer.from_pretrained(tmp_path), "qwen")
        assert not caplog.text


class TestGraphs:
    def test_the_eighth_is_counted_as_in_training(self):
        for frames in range(1, 600):
            found = onnx._low_frame_rate(torch.tensor(frames))
            assert int(found) == audio_token_count(frames, LOW_FRAME_RATE)

    def test_filter_banks_become_those_of_the_recipe(self):
        """Of noise, bins moved are much nearer to those to 8,000 Hz than they were, all but the highest two."""
        noise = torch.randn(1, 160000, generator=torch.Generator().manual_seed(1))
        found, wanted = (
            torchaudio.compliance.kaldi.fbank(
                noise, num_mel_bins=80, high_freq=highest, window_type="hamming", energy_floor=0.0
            ).mean(0)
            for highest in (7600.0, 8000.0)
        )
        moved = found @ onnx.FilterBanks().bins
        # Below, a filter has a bin of the spectrum or two, and which they are jumps.
        before, after = ((values - wanted)[30:78].abs().max() for values in (found, moved))
        assert after < 0.1 * (wanted[30:78].max() - wanted[30:78].min()) and after < before + 0.02

    @pytest.mark.parametrize("frames", [3, 8, 9, 100])
    def test_frames_between_the_first_and_the_last_are_stacked_as_in_the_recipe(self, frames):
        given = torch.arange(frames, dtype=torch.float32)[:, None].expand(-1, 80)
        torch.testing.assert_close(onnx.FilterBanks()(given[None])[0], stack(given[1:-1]), atol=1e-4, rtol=0)

    @pytest.mark.parametrize("frames", [1, 2])
    def test_too_few_frames_are_one_stacked_frame(self, frames):
        assert onnx.FilterBanks()(torch.zeros(1, frames, 80)).shape == (1, 1, 560)


class TestRefusals:
    @pytest.fixture
    def source(self, tmp_path):
        write_toolkit_directory(tmp_path / "source", low_frame_rate=False)
        return tmp_path / "source"

    def refused(self, source, to, match, **options):
        with pytest.raises(RecipeError, match=match):
            convert(source, source.parent / "target", to, **options)
        assert sorted(path.name for path in source.parent.iterdir()) == ["source"]

    def test_llama_cpp_takes_an_eighth_of_the_frames(self, source):
        self.refused(source, "gguf", "the audio token setting is 'full', but llama.cpp's program has 'low_frame_rate'")

    @pytest.mark.parametrize("to", ["sherpa-onnx", "gguf"])
    def test_another_front_end_than_the_published_one(self, to, source):
        settings = yaml.safe_load((source / "config.yaml").read_text())
        settings["frontend_conf"]["n_mels"] = 40
        settings["frontend_conf"]["lfr_m"] = 14
        (source / "config.yaml").write_text(yaml.safe_dump(settings))
        self.refused(source, to, "feature_size 40: only 80 is known", audio_tokens="low_frame_rate")

    def test_a_missing_package_is_named_with_what_installs_it(self, source, monkeypatch):
        monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
        installs = "pip install -r requirements-export.txt"
        self.refused(source, "sherpa-onnx", f"the package onnx, which is not installed here: {installs}")
        self.refused(source, "gguf", "the package gguf, which", audio_tokens="low_frame_rate")
        assert (ROOT / export.REQUIREMENTS).is_file()

    def test_types_that_a_runtime_does_not_read(self, source):
        self.refused(source, "gguf", "--int8 is for --to sherpa-onnx alone", int8=True)
        self.refused(source, "sherpa-onnx", "leave --dtype bfloat16 out", dtype="bfloat16")


def test_decode_export_names_what_is_missing(tmp_path):
    (tmp_path / "wav.scp").write_text("")
    command = [sys.executable, ROOT / "scripts/decode_export.py", "--runtime", "llama.cpp", "--model-dir", tmp_path]
    command += ["--scp-file", tmp_path / "wav.scp", "--output-file", tmp_path / "text"]
    environment = {"PATH": "/usr/bin", "LLAMA_FUNASR_CLI": str(tmp_path / "none")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and "is no program; set it to a built llama-funasr-cli" in done.stderr
