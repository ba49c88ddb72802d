"""The recipe's model computes what the toolkit (funasr) computes with the same weights.

Runs where funasr is installed (`make test-parity`). Models are small and random, every norm and bias included; audio is
noise of three lengths, so that batches are padded. The toolkit dithers features with noise unless told not to.
"""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from parity.toolkit_checkpoint import QWEN_TOKENIZER, write_toolkit_directory

from recipe.convert import toolkit
from recipe.convert.run import convert
from recipe.model.features import FrontEnd, collate
from recipe.model.network import Recognizer, audio_token_count, load
from recipe.settings.train import FULL, LOW_FRAME_RATE
from recipe.text.prompt import SYSTEM, PromptEncoder, join_user_content, transcription_prompt

funasr = pytest.importorskip("funasr")

ROOT = Path(__file__).resolve().parents[2]
BUNDLED_MODEL = ROOT / "models" / "tiny"
BUNDLED_DATA = ROOT / "data" / "test_general"
TOLERANCE = 2e-4
SECONDS = (0.6, 5.1, 2.3)
TARGETS = ("今天 is a good day。", "thank you", "你的转写：12.50 dollars!")
PROMPTS = (
    transcription_prompt("zh"),
    transcription_prompt("zh", "en", itn=False),
    transcription_prompt("zh", "zh", hotwords=["Fun-ASR", "阿里"]),
    transcription_prompt("en"),
    transcription_prompt("en", "zh"),
)


@dataclass
class Sides:
    """A model in the toolkit (`theirs`, from the directory `stored`), converted for the recipe (`ours`), and converted
    back (the directory `served`). `tensors` are its weights."""

    stored: Path
    served: Path
    tensors: dict[str, torch.Tensor]
    theirs: "funasr.AutoModel"
    ours: Recognizer
    wavs: list[Path]

    def items(self) -> list:
        """The utterances as the recipe prepares them, with targets."""
        front_end = FrontEnd(self.ours)
        waveforms = [soundfile.read(wav, dtype="float32")[0] for wav in self.wavs]
        return [
            front_end.item(wav.stem, samples, prompt, target)
            for wav, samples, prompt, target in zip(self.wavs, waveforms, PROMPTS, TARGETS, strict=False)
        ]

    def their_item(self, index: int) -> dict:
        """An utterance as the toolkit prepares it."""
        contents = {
            "system": [SYSTEM],
            "user": [join_user_content(PROMPTS[index], str(self.wavs[index]))],
            "assistant": [TARGETS[index]],
        }
        kwargs = self.theirs.kwargs
        return self.theirs.model.data_load_speech(contents, kwargs["tokenizer"], kwargs["frontend"])

    def their_batch(self, indices: list[int]) -> dict:
        """Utterances padded as the toolkit's collator does: integers with -1, features with 0."""
        items = [self.their_item(index) for index in indices]
        pad = torch.nn.utils.rnn.pad_sequence

        def integers(name: str) -> torch.Tensor:
            return pad([item[name].view(-1) for item in items], batch_first=True, padding_value=-1)

        names = ("input_ids", "attention_mask", "labels_ids", "fbank_beg", "fake_token_len", "speech_lengths")
        return {name: integers(name) for name in names} | {
            "speech": pad([item["speech"][0] for item in items], batch_first=True)
        }


def their_directory(directory: Path, **options) -> "funasr.AutoModel":
    return funasr.AutoModel(
        model=str(directory),
        device="cpu",
        disable_update=True,
        disable_pbar=True,
        frontend_conf={"dither": 0.0},
        **options,
    )


@pytest.fixture(scope="module")
def wavs(tmp_path_factory) -> list[Path]:
    directory = tmp_path_factory.mktemp("wavs")
    generator = np.random.default_rng(1)
    paths = []
    for number, seconds in enumerate(SECONDS):
        loudness = np.abs(np.sin(np.arange(int(16000 * seconds)) / 3000))
        paths.append(directory / f"utterance{number}.wav")
        soundfile.write(paths[-1], 0.2 * loudness * generator.standard_normal(len(loudness)), 16000)
    return paths


@pytest.fixture(
    scope="module", params=[(LOW_FRAME_RATE, True), (FULL, False)], ids=["low_frame_rate-tied", "full-untied"]
)
def sides(request, tmp_path_factory, wavs) -> Sides:
    mode, tied = request.param
    root = tmp_path_factory.mktemp("models")
    tensors = write_toolkit_directory(root / "stored", low_frame_rate=mode == LOW_FRAME_RATE, tied=tied)
    convert(root / "stored", root / "hf", "hf")
    convert(root / "hf", root / "served", "toolkit")
    theirs = their_directory(root / "stored")
    theirs.model.requires_grad_(True)
    return Sides(root / "stored", root / "served", tensors, theirs, load(root / "hf"), wavs)


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Within TOLERANCE, of values that are far from zero, so that the comparison says something."""
    assert found.shape == expected.shape
    assert expected.abs().max() > 0.1
    assert (found - expected).abs().max() < TOLERANCE


def test_the_converted_directory_is_the_same_model(sides, capfd):
    served = their_directory(sides.served)
    assert "miss key" not in capfd.readouterr().out
    for name, tensor in served.model.state_dict().items():
        assert torch.equal(tensor, sides.tensors[name]), name
    assert set(served.model.state_dict()) == set(sides.tensors)
    with torch.no_grad():
        losses = [model(**sides.their_batch([0, 1, 2]))[0] for model in (served.model, sides.theirs.model)]
    assert losses[0] == losses[1]


def test_it_loads_from_anywhere_without_network(sides, monkeypatch):
    def refuse(*_):
        raise AssertionError("tried to open a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.chdir(sides.served.parent)
    loaded = their_directory(Path("served"))
    assert loaded.generate(input=[str(sides.wavs[0])], max_length=3)[0]["label"] == "null"


def test_features(sides):
    """Sums run in another order than the toolkit's: the last bits of a feature depend on the processor."""
    for index, item in enumerate(sides.items()):
        found, expected = item.features, sides.their_item(index)["speech"][0]
        assert found.shape == expected.shape
        assert torch.allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("indices", [[0], [1], [0, 1, 2]], ids=["short", "long", "padded batch"])
def test_encoder_and_adaptor(sides, indices):
    items = [sides.items()[index] for index in indices]
    batch = collate(items, pad_id=0)
    lengths = batch["input_features_mask"].sum(1)
    features, mask = batch["input_features"], batch["input_features_mask"]
    with torch.no_grad():
        their_encoded, their_lengths = sides.theirs.model.audio_encoder(features.clone(), lengths)
        their_adapted, _ = sides.theirs.model.audio_adaptor(their_encoded, their_lengths)
        network = sides.ours.model.model
        encoded = network.audio_tower(input_features=features, input_features_mask=mask).last_hidden_state
        adapted = network.multi_modal_projector(encoded, mask)
    for row, length in enumerate(lengths):
        assert_close(encoded[row, :length], their_encoded[row, :length])
        assert_close(adapted[row, :length], their_adapted[row, :length])


@pytest.mark.parametrize("indices", [[0], [1], [0, 1, 2]], ids=["short", "long", "padded batch"])
def test_logits_loss_and_gradients(sides, indices):
    their_logits = []
    hook = sides.theirs.model.llm.register_forward_hook(lambda _, __, output: their_logits.append(output.logits))
    sides.theirs.model.zero_grad()
    their_loss, _, _ = sides.theirs.model(**sides.their_batch(indices))
    their_loss.backward()
    hook.remove()

    items = sides.items()
    batch = collate([items[index] for index in indices], pad_id=0)
    model = sides.ours.model
    model.zero_grad()
    loss = model(**batch).loss
    loss.backward()
    with torch.no_grad():
        logits = model(**{name: value for name, value in batch.items() if name != "labels"}).logits

    real = batch["attention_mask"].bool()
    assert_close(logits[real], their_logits[0][real].detach())
    assert abs(loss.item() - their_loss.item()) < TOLERANCE
    expected = {name: parameter.grad for name, parameter in sides.theirs.model.named_parameters()}
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    blocks = toolkit.transcription_blocks(model.config)
    for name, gradient in toolkit.from_hf(gradients, blocks).items():
        theirs = expected.pop(name)
        scale = theirs.abs().max().clamp(min=0.05)  # some are zero but for rounding, those of key biases for one
        assert (gradient - theirs).abs().max() < TOLERANCE * scale, name
    assert not expected


def test_the_adaptor_needs_its_padding_mask(sides):
    # Guards the comparison above: without sdpa asked for, transformers gives the adaptor no mask, and this shows.
    items = sides.items()
    mask = collate(items, pad_id=0)["input_features_mask"]
    encoded = torch.randn(len(items), mask.shape[1], sides.ours.model.config.audio_config.hidden_size)
    adaptor = sides.ours.model.model.multi_modal_projector
    shortest = int(mask.sum(1).min())
    with torch.no_grad():
        batched = adaptor(encoded, mask)[0, :shortest]
        unmasked = adaptor(encoded, torch.ones_like(mask))[0, :shortest]
        alone = adaptor(encoded[:1, :shortest], mask[:1, :shortest])[0]
    assert_close(batched, alone)
    assert (unmasked - alone).abs().max() > 100 * TOLERANCE


@pytest.mark.parametrize("index", range(len(SECONDS)))
def test_decoding_writes_the_same_tokens(sides, index, monkeypatch):
    served, generated = their_directory(sides.served), []
    generate = served.model.llm.generate
    monkeypatch.setattr(
        served.model.llm, "generate", lambda **kwargs: generated.append(generate(**kwargs)) or generated[-1]
    )
    hotwords = ["Fun-ASR", "阿里"] if index else []
    served.generate(input=[str(sides.wavs[index])], hotwords=hotwords, language="中文", itn=bool(index), max_length=12)
    samples = soundfile.read(sides.wavs[index], dtype="float32")[0]
    prompt = transcription_prompt("zh", "zh", itn=bool(index), hotwords=hotwords)
    batch = collate([FrontEnd(sides.ours).item("key", samples, prompt)], pad_id=0, left=True)
    labels = batch.pop("labels")
    with torch.inference_mode():
        tokens = sides.ours.model.generate(**batch, max_new_tokens=12)
    written = tokens[0, labels.shape[1] :].tolist()
    assert written == generated[0][0].tolist()
    assert len(set(written)) > 2  # not one token over and over


@pytest.mark.skipif(not (BUNDLED_MODEL / "config.json").is_file(), reason="the bundled model is not here")
def test_the_bundled_model_transcribes_alike_in_the_toolkit(tmp_path):
    """With a tokenizer that is not Qwen's, and weights that know something; that there is no dither the export says."""
    convert(BUNDLED_MODEL, tmp_path / "served", "toolkit")
    theirs = funasr.AutoModel(model=str(tmp_path / "served"), device="cpu", disable_update=True, disable_pbar=True)
    ours = load(BUNDLED_MODEL)
    front_end = FrontEnd(ours)
    data = BUNDLED_DATA / "wav.scp"
    wavs = [data.parent / line.split()[1] for line in data.read_text().splitlines()[::20]]
    for wav in wavs:
        item = front_end.item(wav.stem, soundfile.read(wav, dtype="float32")[0], transcription_prompt("zh"))
        batch = collate([item], pad_id=ours.tokenizer.pad_token_id, left=True)
        prompt_length = batch.pop("labels").shape[1]
        with torch.inference_mode():
            tokens = ours.model.generate(**batch, max_new_tokens=100)[0, prompt_length:]
        text = ours.tokenizer.decode(tokens, skip_special_tokens=True)
        assert text
        assert theirs.generate(input=[str(wav)], max_length=100)[0]["text"] == " ".join(text.split())


def test_the_llm_of_the_directory_can_be_split_off_for_vllm(sides, tmp_path):
    from funasr.models.fun_asr_nano.inference_vllm import prepare_vllm_model_dir
    from transformers import AutoModelForCausalLM

    folder = prepare_vllm_model_dir(str(sides.served), str(tmp_path / "llm"))
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    assert torch.equal(model.lm_head.weight, sides.tensors["llm.lm_head.weight"])
    assert torch.equal(model.get_input_embeddings().weight, sides.tensors["llm.model.embed_tokens.weight"])


@pytest.mark.parametrize("kind", ["small", "qwen"])
def test_prompts_are_token_for_token_those_of_the_toolkits_training(kind, wavs, tmp_path):
    if kind == "qwen" and not QWEN_TOKENIZER.is_dir():
        pytest.skip("Qwen's tokenizer is not here")
    write_toolkit_directory(tmp_path / "stored", tokenizer=kind, hidden=16, head_dim=4)
    convert(tmp_path / "stored", tmp_path / "hf", "hf")
    theirs = their_directory(tmp_path / "stored")
    encoder, front_end = PromptEncoder((ours := load(tmp_path / "hf")).tokenizer), FrontEnd(ours)
    cases = [(prompt, wavs[i % len(wavs)], TARGETS[i % len(TARGETS)]) for i, prompt in enumerate(PROMPTS)]
    dataset = their_dataset(theirs, cases, tmp_path / "train.jsonl")
    assert len(dataset) == len(cases)
    for example, (prompt, wav, target) in zip((dataset[i] for i in range(len(cases))), cases, strict=True):
        frames = len(front_end.features(soundfile.read(wav, dtype="float32")[0]))
        expected = encoder.encode(prompt, audio_token_count(frames, LOW_FRAME_RATE), target)
        ids = example["input_ids"].tolist()
        begin, count = int(example["fbank_beg"]), int(example["fake_token_len"])
        assert ids[begin : begin + count] == [0] * count
        ids[begin : begin + count] = [encoder.audio_token_id] * count
        assert ids == expected.input_ids
        assert example["labels_ids"].tolist() == expected.labels


def their_dataset(theirs, cases: list[tuple[str, Path, str]], file: Path):
    """The toolkit's training data set of (prompt, wav, target)."""
    from funasr.register import tables

    with open(file, "w") as stream:
        for prompt, wav, target in cases:
            messages = [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": join_user_content(prompt, str(wav))},
                {"role": "assistant", "content": target},
            ]
            stream.write(json.dumps({"messages": messages, "speech_length": 100, "text_length": 5}) + "\n")
    kwargs = theirs.kwargs
    return tables.dataset_classes["FunASR"](
        str(file), index_ds="FunASR", frontend=kwargs["frontend"], tokenizer=kwargs["tokenizer"], retry=1
    )


@pytest.mark.slow
def test_the_toolkit_loads_and_decodes_a_model_of_full_size_within_24_gb(tmp_path):
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'scripts'}{os.pathsep}{ROOT / 'tests'}"}
    command = [sys.executable, Path(__file__).with_name("full_size.py"), tmp_path, "--toolkit"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1])["peak_bytes"] < 24e9
