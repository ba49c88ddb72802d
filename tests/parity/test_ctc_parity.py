"""The CTC branch computes what the toolkit's does, which makes of an exported model what it makes of the base.

Runs where funasr is installed (`make test-parity`). Models are small and random, with the tensors of the published
branch: 84 of its decoder, 2 of its output layer.
"""

import random
from pathlib import Path

import made_ctc
import numpy as np
import pytest
import soundfile
import torch
from parity.toolkit_checkpoint import SIZES, write_toolkit_directory

from recipe.convert.run import convert
from recipe.model import ctc
from recipe.model.ctc_tokens import MergeTokens
from recipe.model.network import load

funasr = pytest.importorskip("funasr")

TOLERANCE = 2e-4
TIMES = ("timestamps", "ctc_timestamps", "ctc_text")


def toolkit_model(directory):
    return funasr.AutoModel(model=str(directory), device="cpu", disable_update=True, disable_pbar=True,
                            frontend_conf={"dither": 0.0})  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A model of the toolkit (`stored`), converted for the recipe (`hf`), and back (`served`)."""
    root = tmp_path_factory.mktemp("ctc")
    write_toolkit_directory(root / "stored", ctc=True)
    convert(root / "stored", root / "hf", "hf")
    convert(root / "hf", root / "served", "toolkit")
    return root


@pytest.fixture(scope="module")
def theirs(root):
    return toolkit_model(root / "stored")


@pytest.fixture(scope="module")
def wav(tmp_path_factory) -> Path:
    samples = 0.1 * np.random.default_rng(1).standard_normal(16000 * 6)
    soundfile.write(file := tmp_path_factory.mktemp("wav") / "utterance.wav", samples, 16000)
    return file


def test_log_probabilities(root, theirs):
    branch = ctc.load(root / "hf", SIZES["width"])
    outputs, frames = torch.randn(3, 40, SIZES["width"]), torch.tensor([40, 7, 23])
    with torch.no_grad():
        decoded, lengths = theirs.model.ctc_decoder(outputs, frames)
        expected, found = theirs.model.ctc.log_softmax(decoded), branch(outputs, frames)
    assert branch.blank == theirs.model.blank_id and lengths.tolist() == frames.tolist()
    assert expected.std() > 0.5
    for row, count in enumerate(frames):
        assert (found[row, :count] - expected[row, :count]).abs().max() < TOLERANCE


def test_encoder_outputs_are_those_that_the_toolkit_gives_its_branch(root, theirs):
    model = load(root / "hf").model
    features, frames = torch.randn(2, 30, 560), torch.tensor([30, 11])
    mask = (torch.arange(30) < frames[:, None]).long()
    with torch.no_grad():
        expected, _ = theirs.model.audio_encoder(features.clone(), frames)
        found = model.encode(features, mask)
    for row, count in enumerate(frames):
        assert (found[row, :count] - expected[row, :count]).abs().max() < TOLERANCE


def texts():
    """Texts of letters and pieces that merge in many ways, of several scripts."""
    draw = random.Random(3)
    parts = [*made_ctc.PIECES, *"thelingab 你好把灯打开.,!?'0123\n\t\u3000é😀ßあ한", "'s", "n't", "<|en|>", "  "]
    return ["".join(draw.choices(parts, k=draw.randint(0, 30))) for _ in range(3000)]


def test_tokens(root, theirs):
    tokens, their_tokens = MergeTokens(root / "stored/multilingual.tiktoken"), theirs.model.ctc_tokenizer
    for text in texts():
        found = tokens.encode(text)
        assert found == their_tokens.encode(text), text
        assert tokens.decode(found) == their_tokens.decode(found) == text
    assert their_tokens.get_vocab_size() == made_ctc.VOCABULARY
    for token in range(tokens.size):
        assert tokens.decode([token]) == their_tokens.decode([token])


def test_an_exported_model_has_the_times_of_the_base(root, theirs, wav):
    found, expected = (
        model.generate(input=[str(wav)], max_length=20)[0] for model in (toolkit_model(root / "served"), theirs)
    )
    assert found == expected
    assert set(TIMES) <= found.keys() and found["timestamps"] and found["ctc_text"] and found["ctc_timestamps"]
    state, base = (torch.load(root / name / "model.pt", weights_only=True) for name in ("served", "stored"))
    assert state.keys() == base.keys() and all(torch.equal(state[name], base[name]) for name in base)


class TwoSegments(torch.nn.Linear):
    """In place of the toolkit's voice activity detection, whose weights are not here."""

    def inference(self, data_in, key, **_):
        return [{"key": key[0], "value": [[0, 2600], [3000, 6000]]}], {}


def test_speakers_have_their_sentences(root, theirs, wav):
    """With the toolkit's network of speakers, random: what counts is that both models are asked alike and answer."""
    from funasr.models.campplus.cluster_backend import ClusterBackend
    from funasr.models.campplus.model import CAMPPlus

    torch.manual_seed(1)
    speakers = CAMPPlus().eval()
    found = []
    for model in (toolkit_model(root / "served"), toolkit_model(root / "stored")):
        model.vad_model, model.spk_model, model.cb_model = TwoSegments(1, 1), speakers, ClusterBackend()
        model.vad_kwargs, model.spk_kwargs, model.spk_mode = {"device": "cpu"}, {"device": "cpu"}, "vad_segment"
        model._store_base_configs()  # from which each call begins
        found.append(model.generate(input=[str(wav)], max_length=12)[0])
    assert found[0]["sentence_info"] == found[1]["sentence_info"]
    assert len(found[0]["sentence_info"]) == 2
    for sentence in found[0]["sentence_info"]:
        assert sentence["timestamp"] and sentence["start"] < sentence["end"] and "spk" in sentence


def test_a_branch_that_began_here_gives_times_in_the_toolkit(low_model, tmp_path, wav):
    """Over the model's own tokens, by another class of tokenizer."""
    recognizer = load(low_model)
    recognizer.model.ctc_head = ctc.begin(recognizer.model.config.audio_config, recognizer.tokenizer, seed=1)
    recognizer.save(tmp_path / "hf", {"base": None})
    convert(tmp_path / "hf", tmp_path / "served", "toolkit")
    model = toolkit_model(tmp_path / "served")
    found = model.generate(input=[str(wav)], max_length=10)[0]
    assert found["text"] and found["timestamps"] and set(TIMES) <= found.keys()
    text = "把灯打开 now"
    assert model.model.ctc_tokenizer.encode(text) == recognizer.tokenizer.encode(text)
