"""Ways to train: every choice of frozen parts, with adapters and without, for both audio token settings."""

import dataclasses
import itertools
import json

import pytest
import soundfile
import torch
from conftest import SENTENCES, losses, tone
from safetensors.torch import load_file
from stages import scp2jsonl

from recipe.convert.run import convert
from recipe.data import manifest
from recipe.model import features
from recipe.model import network as model
from recipe.model.generate import Limits, generate
from recipe.settings import train as settings
from recipe.settings.train import PARTS
from recipe.train import compiled, result
from recipe.train import run as train
from recipe.train.sets import TrainingInputs

LORA = settings.LoraSettings(rank=4, alpha=8.0, targets=("q_proj", "down_proj"))
SETTINGS = settings.TrainSettings(
    max_steps=2, learning_rate=1e-2, batch_seconds=3.0, evaluations=1, decode_utterances=1, workers=0, select="last"
)
# Every choice that leaves something to train. Under adapters the language model's own weights are frozen in any case.
FREEZES = [parts for count in range(3) for parts in itertools.combinations(PARTS, count)]
MODES = [{"freeze": parts} for parts in FREEZES]
MODES += [{"freeze": parts, "lora": LORA} for parts in FREEZES if "llm" not in parts]


def name_of(mode: dict) -> str:
    return "+".join([*(f"no_{part}" for part in mode["freeze"]), *(["lora"] if "lora" in mode else [])]) or "all"


@pytest.fixture(scope="module")
def jsonl(tmp_path_factory, full_model):
    """A manifest of four utterances."""
    folder = tmp_path_factory.mktemp("modes") / "data"
    (folder / "wav").mkdir(parents=True)
    for i in range(4):
        soundfile.write(folder / "wav" / f"u{i}.wav", tone(0.6 + 0.4 * i, i), 16000)
    (folder / "wav.scp").write_text("".join(f"u{i} wav/u{i}.wav\n" for i in range(4)))
    (folder / "text").write_text("".join(f"u{i} {SENTENCES[i]}\n" for i in range(4)))
    scp2jsonl(folder, full_model)
    return folder / "out" / "set.jsonl"


def run(base, jsonl, folder, **changes):
    """Train and return the folder of the model."""
    chosen = dataclasses.replace(SETTINGS, **changes)
    inputs = TrainingInputs([jsonl], [jsonl])
    train.train(model.load(base, chosen.audio_tokens), chosen, inputs, folder / "model", folder / "state")
    return folder / "model"


def hypotheses(recognizer, jsonl) -> list[list[int]]:
    front_end = features.FrontEnd(recognizer)
    items = [
        front_end.item(one.key, soundfile.read(one.source, dtype="float32")[0], one.prompt)
        for one in manifest.read(jsonl)
    ]
    return generate(recognizer, items, [Limits().tokens(one.duration) for one in manifest.read(jsonl)])


def part_of(name: str) -> str:
    places = {"audio_tower": "encoder", "multi_modal_projector": "adaptor", "language_model": "llm"}
    return next((part for place, part in places.items() if place in name), "llm")


class TestNoSteps:
    @pytest.mark.parametrize("mode", MODES, ids=name_of)
    @pytest.mark.parametrize("audio_tokens", ["full", "low_frame_rate"])
    def test_the_model_decodes_exactly_as_the_base_does(self, mode, audio_tokens, request, jsonl, tmp_path):
        base = request.getfixturevalue("full_model" if audio_tokens == "full" else "low_model")
        tuned = model.load(run(base, jsonl, tmp_path, max_steps=0, epochs=0.0, **mode))
        assert tuned.audio_tokens == audio_tokens
        expected = hypotheses(model.load(base), jsonl)
        assert len(set(map(tuple, expected))) > 1  # it does not say the same of everything
        assert hypotheses(tuned, jsonl) == expected

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
    def test_a_base_stored_in_16_bits_too(self, dtype, full_model, jsonl, tmp_path):
        convert(full_model, tmp_path / "base", "hf", dtype=dtype)
        tuned = run(tmp_path / "base", jsonl, tmp_path, max_steps=0, epochs=0.0)
        assert load_file(tuned / "model.safetensors")["model.language_model.norm.weight"].dtype == torch.float32
        assert hypotheses(model.load(tuned), jsonl) == hypotheses(model.load(tmp_path / "base"), jsonl)


@pytest.mark.parametrize("mode", MODES, ids=name_of)
def test_frozen_parts_stay_bit_for_bit_and_the_others_move(mode, full_model, jsonl, tmp_path):
    after = load_file(run(full_model, jsonl, tmp_path, **mode) / "model.safetensors")
    before = load_file(full_model / "model.safetensors")
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert {part_of(name) for name in moved} == set(PARTS) - set(mode["freeze"])
    if "lora" in mode:
        adapted = {name.split(".")[-2] for name in moved if part_of(name) == "llm"}
        assert adapted == set(LORA.targets)


@pytest.mark.parametrize("mode", MODES, ids=name_of)
def test_frozen_parts_have_no_dropout_and_no_gradients(mode, full_model):
    recognizer = model.load(full_model)
    train._set_up_model(recognizer, dataclasses.replace(SETTINGS, **mode))
    network = recognizer.model.train()
    learning = {part_of(name) for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert learning == set(PARTS) - set(mode["freeze"])
    frozen = set(mode["freeze"]) | ({"llm"} if "lora" in mode else set())
    training = {part: set() for part in PARTS}
    for name, module in network.named_modules():
        if "lora_dropout" in name:
            assert module.training
        elif any(place in name for place in ("audio_tower", "multi_modal_projector", "language_model")):
            training[part_of(name)].add(module.training)
    assert training == {part: {part not in frozen} for part in PARTS}


class TestProof:
    """A written model is loaded afresh and must say what the trained one said in memory."""

    def test_adapters_are_proven_before_they_are_merged(self, full_model, jsonl, tmp_path, monkeypatch):
        merged = model.FunAsrNanoForConditionalGeneration.merge_adapters

        def wrongly(self, directory):
            merged(self, directory)
            self.model.language_model.layers[0].mlp.down_proj.weight.data.mul_(30)

        monkeypatch.setattr(model.FunAsrNanoForConditionalGeneration, "merge_adapters", wrongly)
        with pytest.raises(RuntimeError, match="gives other text"):
            run(full_model, jsonl, tmp_path, lora=LORA)
        assert not (tmp_path / "model").exists()

    def test_what_is_proven_of_an_averaged_model_is_the_average(self, full_model, jsonl, tmp_path, monkeypatch):
        proven = []
        monkeypatch.setattr(
            result, "_prove", lambda directory, *_: proven.append(load_file(directory / "model.safetensors"))
        )
        written = run(full_model, jsonl, tmp_path, max_steps=4, evaluations=2, select="loss", average=2)
        final = load_file(written / "model.safetensors")
        assert json.loads((written / "recipe.json").read_text())["selected_steps"] in ([2, 4], [4, 2])
        assert proven[0].keys() == final.keys() and all(torch.equal(proven[0][name], final[name]) for name in final)

    def test_a_wrong_average_is_not_delivered(self, full_model, jsonl, tmp_path, monkeypatch):
        saved = model.Recognizer.save

        def spoiled(self, directory, facts):
            self.model.model.language_model.layers[0].mlp.down_proj.weight.data.mul_(30)
            saved(self, directory, facts)

        monkeypatch.setattr(model.Recognizer, "save", spoiled)
        with pytest.raises(RuntimeError, match="gives other text"):
            run(full_model, jsonl, tmp_path, max_steps=4, evaluations=2, select="loss", average=2)

    def test_a_choice_between_equals_may_turn_over(self, full_model, jsonl):
        """Rounding may: a token is accepted that is the most likely but for 0.001, and no other."""
        recognizer = model.load(full_model)
        one = next(iter(manifest.read(jsonl)))
        item = features.FrontEnd(recognizer).item(one.key, soundfile.read(one.source, dtype="float32")[0], one.prompt)
        [tokens] = generate(recognizer, [item], [10])
        assert result._as_likely(recognizer, item, tokens)
        assert not result._as_likely(recognizer, item, [*tokens[:-1], tokens[-1] + 1])


def test_compiled_layers_share_graphs_and_train_alike(deep_model, jsonl, tmp_path, monkeypatch):
    """With a compiler that leaves operations as they are: losses are those of training without. Dropout would draw
    for another order of the states in memory."""
    graphs = []

    def keep(graph, _):
        graphs.append(graph)
        return graph.forward

    compile_layers = compiled.compile_layers
    monkeypatch.setattr(compiled, "compile_layers", lambda model: compile_layers(model, backend=keep))
    eager, fused = (
        losses(run(deep_model, jsonl, tmp_path / str(on), compile=on, dropout=0.0, log_every=1)) for on in (False, True)
    )
    assert len(eager) == 2 and fused == pytest.approx(eager, rel=1e-5)
    network = model.load(deep_model).model.model
    parts = network.audio_tower, network.multi_modal_projector, network.language_model
    layers = sum(len(part.layers) for part in parts)
    kinds = 6  # first of the encoder, others, last ones with a norm, first and others of the adaptor, language model
    most = 2 * kinds + 2  # each for several rows, and for one; the loss
    assert 0 < len(graphs) <= most < layers, f"{len(graphs)} graphs for {layers} layers"


def test_the_memory_that_fuses_is_the_fsmn(deep_model):
    """Outputs and all gradients, with padding in the batch."""
    fsmn = model.load(deep_model).model.model.audio_tower.layers[1].self_attn.fsmn
    frames, width = 30, fsmn.conv.weight.shape[0]
    states = torch.randn(2, frames, width, generator=torch.manual_seed(1), requires_grad=True)
    mask = (torch.arange(frames) < torch.tensor([[frames], [17]])).long()
    found = []
    for kind in (type(fsmn), compiled.FusibleMemory):
        fsmn.__class__ = kind
        forward = torch.compile(fsmn, dynamic=True, backend="eager") if found else fsmn
        outputs = forward(states, mask)
        found.append([outputs, *torch.autograd.grad(outputs.square().sum(), (states, fsmn.conv.weight))])
    for ours, published in zip(*found, strict=True):
        assert torch.allclose(ours, published, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_dropout_is_that_of_the_settings(full_model, share):
    recognizer = model.load(full_model)
    train._set_up_model(recognizer, dataclasses.replace(SETTINGS, dropout=share))
    encoder = recognizer.model.model.audio_tower.train()
    batch = torch.randn(1, 20, 560, generator=torch.manual_seed(1)), torch.ones(1, 20, dtype=torch.long)
    once, again = (encoder(*batch).last_hidden_state for _ in range(2))
    assert torch.equal(once, again) == (share == 0)
