"""Forced alignment: times of words by what a branch says of frames, also between frames, and what does not fit."""

import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given
from hypothesis import strategies as st

from recipe.model import alignment, viterbi
from recipe.model.features import FIRST_EDGE, FRAME_SECONDS
from recipe.text.words import split


class Letters:
    """A tokenizer with a token for each byte: characters of several bytes are tokens of several."""

    size = 256

    def encode(self, text):
        return list(text.encode())

    def decode(self, tokens):
        return bytes(tokens).decode(errors="replace")


def said(path, vocabulary=257, sure=0.98):
    """Log-probabilities of frames that are `sure` of a token each."""
    scores = torch.full((len(path), vocabulary), (1 - sure) / (vocabulary - 1))
    scores[torch.arange(len(path)), torch.tensor(path, dtype=torch.long)] = sure
    return scores.log()


def align(log_probs, text, start=0.0):
    wanted = alignment.target(text, Letters())
    return alignment.align(alignment.emissions(log_probs, 256, wanted.tokens, start), wanted)


def frames(times):
    """Times as (first frame, frame behind the last one)."""
    return [tuple(np.round((np.array(one) - FIRST_EDGE) / FRAME_SECONDS, 1)) for one in times]


def test_words_are_from_their_first_to_their_last_token():
    blank = 256
    path = [blank, blank, *b"aab", blank, ord(" "), blank, *b"cc", ord("."), ord("."), blank]
    assert frames(align(said(path), "ab c.")) == [(2, 5), (8, 10)]


def test_equal_neighbours_need_a_frame_between_them():
    assert frames(align(said([256, *b"a", 256, *b"a"]), "aa")) == [(1, 4)]
    assert align(said(list(b"aa")), "aa") == [None]
    assert align(said([]), "a") == [None]
    assert align(said([256] * 4), "") == []


def test_a_border_lies_where_the_frames_beside_it_are_as_sure_of_either():
    scores = said([ord("a"), ord("a"), ord("b"), ord("b")]).exp()
    scores[1, ord("a")], scores[1, ord("b")] = 0.6, 0.4
    [times] = [align(scores.log(), "ab", 10.0)]
    assert frames([(times[0].start - 10, times[0].end - 10)]) == [(0, 4)]
    wanted = alignment.target("ab", Letters())
    found = alignment.emissions(scores.log(), 256, wanted.tokens)
    first, second = alignment._borders(found, viterbi.best_path(found.scores.numpy(), found.labels))
    assert first.end == second.start == pytest.approx(FIRST_EDGE + 1.6 * FRAME_SECONDS, abs=0.002)


@given(seed=st.integers(0, 2**32 - 1), letters=st.integers(1, 8), spare=st.integers(0, 6))
def test_words_follow_each_other_and_last_however_unlikely(seed, letters, spare):
    random = np.random.default_rng(seed)
    text = " ".join(random.choice(list("abc"), letters))
    scores = torch.tensor(random.normal(0, 6, (2 * len(text) + spare, 257)), dtype=torch.float32)
    found = align(scores.log_softmax(-1), text)
    ends = [moment for times in found for moment in (times.start, times.end)]
    assert ends == sorted(ends) and all(times.end - times.start > 0.01 for times in found[1:])


def test_parts_of_a_recording_are_one():
    wanted = alignment.target("ab c", Letters())
    path = [256, *b"aab", 256, *b" cc", 256]
    log_probs = said(path)
    parts = [
        alignment.emissions(log_probs[:3], 256, wanted.tokens),
        alignment.emissions(log_probs[3:], 256, wanted.tokens, 3 * FRAME_SECONDS),
    ]
    whole = alignment.align(alignment.emissions(log_probs, 256, wanted.tokens), wanted)
    assert np.allclose(alignment.align(alignment.joined(parts, len(path) + 5), wanted), whole)


def test_characters_of_one_token_share_its_time():
    class Whole(Letters):
        def encode(self, text):
            return [7]

        def decode(self, tokens):
            return "打开"

    wanted = alignment.target("打开", Whole())
    found = alignment.align(alignment.emissions(said([256, 7, 7, 256]), 256, wanted.tokens), wanted)
    assert frames(found) == [(1, 2), (2, 3)]


@pytest.mark.parametrize("text", ["灯 on", "把灯。", "a a", "éa"])
def test_tokens_have_places_also_those_that_are_a_part_of_a_character(text):
    wanted = alignment.target(text, Letters())
    for token, (start, end) in zip(wanted.tokens, wanted.places, strict=True):
        if token < 128 and chr(token) != " ":
            assert text[start:end] == chr(token)
    path = [256, *(token for one in wanted.tokens for token in (one, 256))]
    assert None not in align(said(path), text) and len(align(said(path), text)) == len(split(text))


@pytest.mark.parametrize(
    "frames, tokens, columns",
    [(1, 1, 3), (10, 3, 5), (1000, 300, 200), (1000, 399, 3), (1001, 1, 2), (1500, 1100, 900)],
)
def test_paths_are_torchaudios_whatever_the_blocks(frames, tokens, columns, monkeypatch):
    """Also of texts that hardly fit, and with many equal neighbours."""
    draws = torch.Generator().manual_seed(frames + tokens)
    scores = torch.randn(frames, columns, generator=draws).mul(3).log_softmax(1)
    labels = torch.randint(1, columns, (tokens,), generator=draws).tolist()
    whole, _ = torchaudio.functional.forced_align(scores[None], torch.tensor([labels], dtype=torch.int32))
    for block in (1, 250, 1000, 5000):
        monkeypatch.setattr(viterbi, "BLOCK", block)
        assert viterbi.best_path(scores.numpy(), labels) == whole[0].tolist()


def test_what_is_too_long_is_said_before_memory_runs_out(monkeypatch):
    monkeypatch.setattr(alignment, "MAX_SCORES", 300)
    wanted = alignment.target("abba", Letters())
    alignment.refuse_too_long(100, wanted)
    with pytest.raises(alignment.RecipeError, match="2 different tokens are too long for one alignment"):
        alignment.refuse_too_long(101, wanted)
