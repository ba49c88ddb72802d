"""The CTC branch beside a model: its files, its network, its tokens."""

import base64
import json

import made_ctc
import pytest
import torch
from safetensors.torch import load_file, save_file

from recipe.files import RecipeError
from recipe.model import ctc
from recipe.model.ctc_tokens import MergeTokens

WIDTH = 32


@pytest.fixture
def folder(tmp_path):
    """The folder of a branch in a model directory."""
    return made_ctc.write(tmp_path, WIDTH)


@pytest.fixture
def tokens(tmp_path):
    made_ctc.write_vocabulary(tmp_path / "v.tiktoken")
    return MergeTokens(tmp_path / "v.tiktoken")


def test_a_directory_without_a_branch_has_none(tmp_path):
    assert ctc.load(tmp_path, WIDTH) is None


def test_a_branch_has_as_many_tensors_as_the_published_one(folder):
    assert len(load_file(folder / ctc.WEIGHTS)) == 84 + 2


def test_every_frame_has_probabilities_of_all_tokens(folder):
    branch = ctc.load(folder.parent, WIDTH)
    outputs = torch.randn(2, 9, WIDTH)
    found = branch(outputs, torch.tensor([9, 4]))
    assert found.shape == (2, 9, branch.sizes.vocabulary)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(2, 9))
    assert branch.blank == branch.sizes.vocabulary - 1


def test_padding_changes_nothing(folder):
    branch = ctc.load(folder.parent, WIDTH)
    outputs = torch.randn(2, 9, WIDTH)
    both = branch(outputs, torch.tensor([9, 4]))
    alone = branch(outputs[1:, :4], torch.tensor([4]))
    torch.testing.assert_close(both[1:, :4], alone, atol=1e-5, rtol=1e-5)


def change(folder, **entries):
    """Change entries of ctc/config.json; None takes one out."""
    values = json.loads((folder / ctc.CONFIG).read_text())
    for name, value in entries.items():
        section, _, key = name.rpartition("__")
        place = values[section] if section else values
        place[key] = value
        if value is None:
            del place[key]
    (folder / ctc.CONFIG).write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"ctc_decoder": "QFormer"}, "ctc_decoder is 'QFormer'; only 'Transformer'"),
        ({"ctc_decoder_conf__downsample_rate": 2}, "ctc_decoder_conf.downsample_rate is 2; only 1"),
        ({"ctc_decoder_conf__llm_dim": 64}, "ctc_decoder_conf.llm_dim is 64, the encoder's width 32"),
        ({"ctc_decoder_conf__attention_heads": 5}, "attention_heads is 5, no divisor of 32"),
        ({"ctc_decoder_conf__n_layer": "two"}, "ctc_decoder_conf.n_layer is 'two', expected a whole number"),
        ({"ctc_vocab_size": 20}, "ctc_vocab_size is 20, but the tokenizer has"),
        ({"ctc_vocab_size": 400}, r"output.weight: shape \[\d+, 32\], by the settings \[400, 32\]"),
        ({"dataset_conf__ctc_tokenizer": "Mine"}, "ctc_tokenizer is 'Mine', known are SenseVoiceTokenizer"),
    ],
)
def test_settings_that_no_branch_here_can_have_are_refused(folder, entries, said):
    change(folder, **entries)
    with pytest.raises(RecipeError, match=said):
        ctc.load(folder.parent, WIDTH)


@pytest.mark.parametrize(
    ("name", "tensor", "said"),
    [
        ("decoder.layers.4.mlp.fc1.bias", None, "decoder.layers.4.mlp.fc1.bias: missing"),
        ("output.bias", torch.ones(3), r"output.bias: shape \[3\]"),
        ("surplus", torch.ones(3), "surplus: not a tensor of this model"),
    ],
)
def test_tensors_that_are_missing_or_do_not_fit_are_named(folder, name, tensor, said):
    tensors = load_file(folder / ctc.WEIGHTS) | {name: tensor}
    save_file({key: value for key, value in tensors.items() if value is not None}, folder / ctc.WEIGHTS)
    with pytest.raises(RecipeError, match=f"{ctc.WEIGHTS}: 1 tensors do not fit: {said}"):
        ctc.load(folder.parent, WIDTH)


def test_a_branch_copied_in_part_is_refused(folder):
    (folder / ctc.WEIGHTS).unlink()
    with pytest.raises(RecipeError, match=r"no such file, though config\.json is beside it"):
        ctc.load(folder.parent, WIDTH)


@pytest.mark.parametrize("text", ["", " the light", "把灯打开, please", "naïve  \n 😀 't 12 don't", "the the"])
def test_text_becomes_tokens_and_the_same_text_again(tokens, text):
    found = tokens.encode(text)
    assert all(0 <= token < tokens.size for token in found)
    assert tokens.decode(found) == text


def test_the_lowest_rank_is_merged_first_and_pieces_stay_apart(tokens):
    pieces = made_ctc.ranks()
    assert [pieces[token] for token in tokens.encode(" the thing")] == [b" the", b" th", b"ing"]
    assert [pieces[token].decode() for token in tokens.encode("把灯灯")] == ["把灯", "灯"]


def test_special_tokens_have_no_text_and_are_not_made(tokens):
    assert tokens.decode([*tokens.encode("the"), tokens.size, tokens.size + 7]) == "the"
    assert tokens.decode(tokens.encode("<|en|>")) == "<|en|>"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: ["no base64 at all", *lines], ":1: 'no base64 at all', expected a piece in base64"),
        (lambda lines: ["a 0", *lines[1:]], ":1: 'a' is not base64"),
        (lambda lines: [*lines[:5], *lines[6:]], "ranks are not those from 0 on"),
        (lambda lines: [f"{base64.b64encode(b'ab').decode()} 0", *lines[1:]], "lacks single bytes"),
    ],
)
def test_a_damaged_vocabulary_is_refused(tmp_path, change, said):
    file = tmp_path / "v.tiktoken"
    made_ctc.write_vocabulary(file)
    file.write_text("\n".join(change(file.read_text().splitlines())))
    with pytest.raises(RecipeError, match=said):
        MergeTokens(file)
