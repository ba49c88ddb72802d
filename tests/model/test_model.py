"""The model: audio token settings, padding, loss, frozen parts."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import ROOT, randomize, tone
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from recipe.audio.fbank import WAVEFORM_SCALE, fbank
from recipe.convert import init
from recipe.data.manifest import speech_length
from recipe.files import RecipeError
from recipe.model import network as model
from recipe.model.features import FrontEnd, collate, stacked_frames
from recipe.model.network import audio_token_count
from recipe.text.prompt import IGNORED


@pytest.fixture
def altered(full_model, tmp_path):
    """A copy of a model directory, and its tensors to change: entries that are None are taken out."""

    def alter(**changes):
        folder = shutil.copytree(full_model, tmp_path / "altered")
        tensors = load_file(folder / "model.safetensors") | changes
        kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return alter


NORM = "model.audio_tower.layers.0.input_layernorm.weight"


@pytest.mark.parametrize(
    ("tensor", "said"), [(None, "missing"), (torch.ones(3), r"shape \[3\], by config.json \[560\]")]
)
def test_a_model_never_goes_on_with_random_weights_for_those_it_lacks(altered, tensor, said):
    with pytest.raises(RecipeError, match=f"1 tensors do not fit: {NORM}: {said}"):
        model.load(altered(**{NORM: tensor}))


def test_weights_that_are_no_numbers_are_found_before_anything_long(altered):
    weight = torch.ones(560)
    weight[3] = torch.nan
    command = [sys.executable, ROOT / "scripts/check_model.py", "--model", altered(**{NORM: weight})]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and f"1 tensors hold values that are not finite, like {NORM}" in done.stderr


def test_weights_that_nothing_takes_are_said(altered, caplog):
    folder = altered(surplus=torch.ones(3))
    model.load(folder)
    assert "1 tensors that the network has no place for, like surplus" in caplog.text


@pytest.mark.parametrize("name", ["model.safetensors", "processor_config.json", "tokenizer.json"])
def test_a_model_copied_in_part_is_refused(altered, name):
    file = altered() / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(RecipeError, match=f"{file.parent} cannot be loaded"):
        model.load(file.parent)
    file.unlink()
    with pytest.raises(RecipeError, match=f"{file.parent} cannot be loaded"):
        model.load(file.parent)


def test_pickled_weights_are_refused(altered):
    folder = altered()
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(RecipeError, match=f"{folder} cannot be loaded .*model.safetensors"):
        model.load(folder)


def test_a_tokenizer_with_more_tokens_than_embeddings_is_refused(altered):
    folder = altered()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([f"word{i}" for i in range(1000)])
    tokenizer.save_pretrained(folder)
    with pytest.raises(RecipeError, match=r"its tokenizer has 1\d{3} tokens, its language model embeddings for \d+"):
        model.load(folder)


@pytest.mark.parametrize(("frames", "tokens"), [(17, 3), (100, 13), (500, 63), (1, 1), (8, 1), (9, 2)])
def test_low_frame_rate_takes_about_an_eighth_of_the_frames(frames, tokens):
    assert audio_token_count(frames, "low_frame_rate") == tokens
    assert audio_token_count(frames, "full") == frames


def items(recognizer, lengths=(0.5, 1.7, 1.1)):
    front_end = FrontEnd(recognizer)
    return [front_end.item(f"u{i}", tone(s, i), "语音转写：", f"set it to {i}") for i, s in enumerate(lengths)]


@pytest.mark.parametrize("samples", [400, 559, 560, 1359, 1360, 16000, 33333])
def test_stacked_frames_of_a_manifests_length_are_what_the_front_end_makes(full_model, samples):
    recognizer = model.load(full_model)
    features = FrontEnd(recognizer).features(tone(3.0)[:samples])
    assert len(features) == stacked_frames(speech_length(samples / 16000))


def test_features_are_the_fbank_of_the_scaled_waveform(full_model):
    """Each stacked frame's middle 80 values are the plain fbank frame at six times its index."""
    waveform = tone(1.0) * 0.001  # quiet: without scaling many bins would sit on the floor
    features = FrontEnd(model.load(full_model)).features(waveform)
    plain = torch.from_numpy(fbank(waveform))
    middle = features.view(len(features), 7, 80)[:, 3]
    assert torch.equal(middle[:-1], plain[: 6 * len(middle) - 6 : 6])
    assert WAVEFORM_SCALE == 32768.0


@pytest.mark.parametrize("directory", ["full_model", "low_model"])
def test_padding_changes_nothing(directory, request):
    """Encoder, adaptor and language model give a row of a padded batch what they give it alone."""
    recognizer = model.load(request.getfixturevalue(directory))
    batch = collate(items(recognizer), recognizer.tokenizer.pad_token_id)
    with torch.inference_mode():
        together = recognizer.model(**{k: v for k, v in batch.items() if k != "labels"}).logits
        for row, item in enumerate(items(recognizer)):
            alone = collate([item], recognizer.tokenizer.pad_token_id)
            logits = recognizer.model(**{k: v for k, v in alone.items() if k != "labels"}).logits[0]
            assert torch.allclose(together[row, : len(logits)], logits, atol=2e-5)


def test_without_saying_sdpa_the_adaptor_would_see_padding(full_model):
    """The bug of transformers that `load` works around; when this fails, the workaround may go."""
    recognizer = model.load(full_model)
    plain = model.FunAsrNanoForConditionalGeneration.from_pretrained(full_model).eval()
    batch = collate(items(recognizer), recognizer.tokenizer.pad_token_id)
    batch.pop("labels")
    with torch.inference_mode():
        assert not torch.allclose(plain(**batch).logits, recognizer.model(**batch).logits, atol=1e-3)


def test_full_mode_equals_the_class_of_transformers(full_model):
    """Our forward changes what is computed where, not the result: HF's own class gives the same logits and loss."""
    import transformers

    recognizer = model.load(full_model)
    hf = transformers.FunAsrNanoForConditionalGeneration.from_pretrained(full_model, attn_implementation="sdpa").eval()
    batch = collate(items(recognizer), recognizer.tokenizer.pad_token_id)
    with torch.inference_mode():
        expected = hf(**batch)
        ours = recognizer.model(**batch)
        supervised = batch["labels"][:, 1:] != IGNORED
        assert torch.allclose(ours.logits, expected.logits[:, :-1][supervised], atol=1e-5)
        assert torch.allclose(ours.loss, expected.loss, atol=1e-5)


def test_loss_is_a_mean_over_target_tokens_of_the_whole_step(full_model):
    """Two batches with `num_items_in_batch` add up to the loss of one batch with all utterances."""
    recognizer = model.load(full_model)
    pad = recognizer.tokenizer.pad_token_id
    everything = items(recognizer)
    count = sum(label != IGNORED for item in everything for label in item.example.labels)
    whole = recognizer.model(**collate(everything, pad)).loss
    parts = [
        recognizer.model(**collate(part, pad), num_items_in_batch=count).loss
        for part in (everything[:1], everything[1:])
    ]
    assert torch.allclose(sum(parts), whole, atol=1e-5)


def test_frozen_parts_have_no_gradient_and_no_dropout(full_model):
    recognizer = model.load(full_model)
    recognizer.model.freeze({"encoder", "llm"})
    recognizer.model.train()
    assert not recognizer.model.model.audio_tower.training
    assert not recognizer.model.model.language_model.training
    assert recognizer.model.model.multi_modal_projector.training
    recognizer.model(**collate(items(recognizer), recognizer.tokenizer.pad_token_id)).loss.backward()
    touched = {name.split(".")[1] for name, p in recognizer.model.named_parameters() if p.grad is not None}
    assert touched == {"multi_modal_projector"}


def test_audio_token_setting_is_kept_with_the_model(low_model, tmp_path):
    recognizer = model.load(low_model)
    assert recognizer.audio_tokens == "low_frame_rate"
    recognizer.save(tmp_path / "copy", {})
    assert model.load(tmp_path / "copy").audio_tokens == "low_frame_rate"
    (tmp_path / "copy" / "recipe.json").unlink()
    assert model.load(tmp_path / "copy").audio_tokens == "low_frame_rate"  # as published models have it


def test_saved_directory_loads_with_plain_transformers(low_model):
    import transformers

    processor = transformers.AutoProcessor.from_pretrained(low_model)
    loaded = transformers.FunAsrNanoForConditionalGeneration.from_pretrained(low_model, attn_implementation="sdpa")
    ours = model.load(low_model).model
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), ours.parameters(), strict=True))
    prompt = processor.apply_transcription_request(np.zeros(16000, np.float32), language="en", tokenize=False)[0]
    assert "语音转写成英文：<|object_ref_start|><|im_end|>\n<|im_start|>assistant\n" in prompt


def test_tokenizer_gives_text_back_unchanged(full_model):
    tokenizer = model.load(full_model).tokenizer
    for text in ("Set it to 45%.", "把灯 打开。", "é ☂ two  spaces", " x"):
        assert (
            tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"], skip_special_tokens=True) == text
        )


def test_tokenizer_ids_are_those_of_sentencepiece():
    """The transformers tokenizer is the SentencePiece model, not something like it."""
    import io

    import sentencepiece

    texts = ["turn on the light 45%", "把灯打开", "明天 7 点"] * 30
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=written, vocab_size=330, model_type="unigram", byte_fallback=True,
        normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False, split_digits=True,
        hard_vocab_limit=False, bos_id=-1, eos_id=-1, character_coverage=1.0,
        user_defined_symbols=list(init.CHAT_TOKENS), minloglevel=2,
    )  # fmt: skip
    reference = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    tokenizer = init.to_transformers(written.getvalue())
    for text in ("turn 45% 打开", "the light on 7", "明天把灯", "<|im_start|>user 4<|im_end|>"):
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == reference.encode(text)


def test_unknown_model_is_one_clear_error(tmp_path):
    with pytest.raises(model.RecipeError, match="no such directory"):
        model.load(tmp_path / "absent")


def test_randomize_reaches_every_norm(full_model):
    """The fixtures' models must not have trivial norms, or the tests above prove little."""
    recognizer = model.load(full_model)
    randomize(recognizer.model)
    norms = [p for name, p in recognizer.model.named_parameters() if "norm" in name]
    assert norms and all(p.std() > 0 for p in norms)
