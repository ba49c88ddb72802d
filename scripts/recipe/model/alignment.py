"""When the words of a known text were said: forced alignment over the log-probabilities of a CTC branch.

torchaudio finds the likeliest path (Viterbi). It knows one utterance at a time, and keeps a byte for every frame and
every state of it, two a token; so it is given the scores of the utterance's own tokens alone. A frame is 60 ms: the
border between two tokens is put inside a frame by how sure the two frames beside it are of either.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import torch

from recipe.files import RecipeError
from recipe.model.batches import batch_by_size
from recipe.model.features import FIRST_EDGE, FRAME_SECONDS
from recipe.text import words as text_words
from recipe.text.words import TextWord

MAX_STATES = 2**31  # bytes of torchaudio's table
FRAMES, SCORES = 4000, 2**26  # of a batch that the branch scores: its padded frames, and its scores at most


class Tokens(Protocol):
    """What is asked of the tokenizer of a CTC branch."""

    def encode(self, text: str) -> list[int]:
        """Tokens of a text."""

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of tokens."""


class Branch(Protocol):
    """What is asked of a CTC branch (`recipe.model.ctc.CtcBranch`)."""

    tokens: Tokens
    blank: int

    def __call__(self, encoder_outputs: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        """Log-probabilities [batch, frames, vocabulary] of [batch, frames, width], of which `frames` [batch] count."""


class Times(NamedTuple):
    """Seconds from the beginning of what was aligned."""

    start: float
    end: float


class Target(NamedTuple):
    """A text as it is aligned."""

    text: str
    tokens: list[int]
    places: list[tuple[int, int]]  # of each token in the text


@torch.inference_mode()
def times(branch: Branch, encoded: Sequence[torch.Tensor], texts: Sequence[str]) -> list[list[Times | None]]:
    """`align` of each of `texts` with its encoder outputs [frames, width]. The branch scores a batch of so many frames
    at a time as the scores of its whole vocabulary have room for."""
    found: dict[int, list[Times | None]] = {}
    lengths = [len(one) for one in encoded]
    order = sorted(range(len(texts)), key=lambda i: -lengths[i])
    for rows in batch_by_size(order, lengths, max(1, min(FRAMES, SCORES // (branch.blank + 1)))):
        inputs = torch.nn.utils.rnn.pad_sequence([encoded[i].float() for i in rows], batch_first=True)
        scores = branch(inputs, torch.tensor([lengths[i] for i in rows]))
        for row, i in enumerate(rows):
            found[i] = align(scores[row, : lengths[i]], branch.blank, target(texts[i], branch.tokens))
    return [found[i] for i in range(len(texts))]


def target(text: str, tokens: Tokens) -> Target:
    """The tokens of `text`, and where in it each stands."""
    numbers = tokens.encode(text)
    return Target(text, numbers, _places(text, [tokens.decode([number]) for number in numbers]))


def _places(text: str, pieces: Sequence[str]) -> list[tuple[int, int]]:
    """Where in `text` each of its `pieces` stands, one after the other. What a tokenizer writes otherwise than the text
    has it, such as a part of a character, has the place between its neighbours."""
    found: list[tuple[int, int] | None] = []
    place = 0
    for piece in pieces:
        bare = piece.strip()
        at = text.find(bare, place) if bare and "\ufffd" not in bare else -1
        # Further on than white space and parts of characters before it, it is another piece that looks the same.
        if at < 0 or (at > place and found and None not in found[-4:] and text[place:at].strip()):
            found.append(None)
        else:
            place = at + len(bare)
            found.append((at, place))
    return [_between(found, index, len(text)) if one is None else one for index, one in enumerate(found)]


def _between(found: Sequence[tuple[int, int] | None], index: int, length: int) -> tuple[int, int]:
    before = next((one[1] for one in reversed(found[:index]) if one), 0)
    after = next((one[0] for one in found[index + 1 :] if one), length)
    return before, max(before, after)


def fits(wanted: Target, frames: int) -> bool:
    """Whether a text can be aligned with so many frames: each token needs one, and equal neighbours one between."""
    repeats = sum(first == second for first, second in pairwise(wanted.tokens))
    return 0 < len(wanted.tokens) + repeats <= frames


def align(log_probs: torch.Tensor, blank: int, wanted: Target) -> list[Times | None]:
    """Times of the words of a text (`text_words.split`), in seconds from the beginning of the audio.

    `log_probs` [frames, vocabulary] are those of a CTC branch. None for all words if the text does not fit (`fits`),
    and for a word of which the tokenizer makes nothing. RecipeError if it takes more memory than torchaudio should
    have.
    """
    words = text_words.split(wanted.text)
    if not fits(wanted, len(log_probs)):
        return [None] * len(words)
    scores, labels = _own_scores(log_probs, blank, wanted.tokens)
    spans = _borders(scores, labels, _path(scores, labels))
    return [_word_times(word, wanted, spans) for word in words]


def _own_scores(log_probs: torch.Tensor, blank: int, tokens: Sequence[int]) -> tuple[torch.Tensor, list[int]]:
    """Log-probabilities [frames, 1 + different tokens] of blank (0) and the tokens alone, on the CPU; and the tokens by
    their new numbers."""
    different = list(dict.fromkeys(tokens))
    number = {token: place for place, token in enumerate(different, 1)}
    columns = torch.tensor([blank, *different], device=log_probs.device)
    return log_probs[:, columns].float().cpu().contiguous(), [number[token] for token in tokens]


def _path(scores: torch.Tensor, labels: Sequence[int]) -> list[int]:
    """The likeliest label of each frame, 0 for blank."""
    from torchaudio.functional import forced_align

    if len(scores) * (2 * len(labels) + 1) > MAX_STATES:
        hours = len(scores) * FRAME_SECONDS / 3600
        raise RecipeError(
            f"{hours:.1f} h of audio with {len(labels)} tokens are too long for one alignment; divide "
            "the recording and its text"
        )
    path, _ = forced_align(scores[None], torch.tensor([labels], dtype=torch.int32), blank=0)
    return path[0].tolist()


def _borders(scores: torch.Tensor, labels: Sequence[int], path: Sequence[int]) -> list[Times]:
    """Begin and end of each token, in seconds."""
    starts = [frame for frame, label in enumerate(path) if label and (not frame or path[frame - 1] != label)]
    ends = [frame + 1 for frame, label in enumerate(path) if label and path[frame + 1 : frame + 2] != [label]]
    sure = scores.exp().numpy()
    return [
        Times(_border(sure, path, start, label), _border(sure, path, end, label))
        for start, end, label in zip(starts, ends, labels, strict=True)
    ]


def _border(sure: np.ndarray, path: Sequence[int], frame: int, label: int) -> float:
    """Seconds where the path changes before `frame`. How much of the two frames beside the border is of the label
    behind it, and not of the one before it, says where in them it lies."""
    if not 0 < frame < len(path):
        return FIRST_EDGE + frame * FRAME_SECONDS
    before, behind = path[frame - 1], path[frame]
    pair = sure[frame - 1 : frame + 1][:, [before, behind]].astype(np.float64)
    share = float((pair[:, 1] / np.maximum(pair.sum(1), math.ulp(0.0))).sum())
    return FIRST_EDGE + (frame + 1 - share) * FRAME_SECONDS


def _word_times(word: TextWord, wanted: Target, spans: Sequence[Times]) -> Times | None:
    """From the first to the last token that says something of a word. Of a token over several words, such as two
    characters of Chinese, each has its share."""
    first = last = None
    for (start, end), times in zip(wanted.places, spans, strict=True):
        said = [place for place in range(start, end) if not text_words.silent(wanted.text[place])]
        own = [number for number, place in enumerate(said) if word.start <= place < word.end]
        if own:
            part = (times.end - times.start) / len(said)
            first = times.start + own[0] * part if first is None else first
            last = times.start + (own[-1] + 1) * part
    return None if first is None else Times(max(0.0, first), max(0.0, last))
