"""When the words of a known text were said: forced alignment over the log-probabilities of a CTC branch.

The likeliest path (`viterbi`) is that of one utterance at a time, and is given the scores of the utterance's own tokens
alone. A frame is 60 ms: the border between two tokens is put inside a frame by how sure the two frames beside it are of
either.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from recipe.files import RecipeError
from recipe.model.batches import batch_by_size
from recipe.model.ctc import CtcBranch
from recipe.model.ctc_tokens import CtcTokens
from recipe.model.features import FIRST_EDGE, FRAME_SECONDS
from recipe.model.viterbi import best_path
from recipe.text import words as text_words
from recipe.text.words import TextWord

MAX_SCORES = 2**30  # of a recording, four bytes each: 4 GiB, four hours with 4,000 different tokens
TINY = 1e-300  # less than any sum of probabilities
GIVEN = 0.4  # of the frames of a label, to the one beside it
FRAMES, SCORES = 4000, 2**26  # of a batch that the branch scores: its padded frames, and its scores at most


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
def times(branch: CtcBranch, encoded: Sequence[torch.Tensor], texts: Sequence[str]) -> list[list[Times | None]]:
    """`align` of each of `texts` with its encoder outputs [frames, width]. The branch scores a batch of so many frames
    at a time as the scores of its whole vocabulary have room for."""
    found: dict[int, list[Times | None]] = {}
    lengths = [len(one) for one in encoded]
    order = sorted(range(len(texts)), key=lambda i: -lengths[i])
    for rows in batch_by_size(order, lengths, max(1, min(FRAMES, SCORES // (branch.blank + 1)))):
        inputs = torch.nn.utils.rnn.pad_sequence([encoded[i].float() for i in rows], batch_first=True)
        scores = branch(inputs, torch.tensor([lengths[i] for i in rows]))
        for row, i in enumerate(rows):
            wanted = target(texts[i], branch.tokens)
            found[i] = align(emissions(scores[row, : lengths[i]], branch.blank, wanted.tokens), wanted)
    return [found[i] for i in range(len(texts))]


def target(text: str, tokens: CtcTokens) -> Target:
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
    repeats = sum(first == second for first, second in itertools.pairwise(wanted.tokens))
    return 0 < len(wanted.tokens) + repeats <= frames


class Emissions(NamedTuple):
    """What a branch says of the frames of an utterance: log-probabilities [frames, 1 + different tokens] of blank and
    of the utterance's own tokens alone, on the CPU; the tokens by their columns; and where each frame begins and the
    last one ends, [frames + 1] seconds."""

    scores: torch.Tensor
    labels: list[int]
    edges: np.ndarray


def emissions(log_probs: torch.Tensor, blank: int, tokens: Sequence[int], start: float = 0.0) -> Emissions:
    """Of `log_probs` [frames, vocabulary], for these tokens; `start` is where the audio begins."""
    different = list(dict.fromkeys(tokens))
    number = {token: place for place, token in enumerate(different, 1)}
    columns = torch.tensor([blank, *different], device=log_probs.device)
    edges = start + FIRST_EDGE + FRAME_SECONDS * np.arange(len(log_probs) + 1)
    return Emissions(log_probs[:, columns].float().cpu(), [number[token] for token in tokens], edges)


def joined(parts: Iterable[Emissions], frames: int) -> Emissions:
    """The emissions of a recording of at most so many `frames` from those of its parts for the same tokens, one after
    the other; only one part is held besides."""
    scores, edges, labels, filled = torch.empty(0, 0), [], [], 0
    for part in parts:
        if not filled:
            labels, scores = part.labels, torch.empty(frames, part.scores.shape[1])
        scores[filled : filled + len(part.scores)] = part.scores
        filled += len(part.scores)
        edges.append(part.edges[:-1])
        end = part.edges[-1:]
    return Emissions(scores[:filled], labels, np.concatenate([*edges, end]))


def refuse_too_long(frames: int, wanted: Target) -> None:
    """RecipeError if the scores of so many frames, of each for every different token of a text, are more than should be
    in memory."""
    different = len(set(wanted.tokens))
    if frames * (1 + different) > MAX_SCORES:
        hours = frames * FRAME_SECONDS / 3600
        raise RecipeError(
            f"{hours:.1f} h of audio with {different} different tokens are too long for one alignment; divide the "
            "recording and its text"
        )


def align(found: Emissions, wanted: Target) -> list[Times | None]:
    """Times of the words of a text (`text_words.split`), by the emissions for its tokens.

    None for all words if the text does not fit (`fits`), and for a word of which the tokenizer makes nothing.
    """
    words = text_words.split(wanted.text)
    if not fits(wanted, len(found.scores)):
        return [None] * len(words)
    chars = _char_times(wanted, _borders(found, best_path(found.scores.numpy(), found.labels)))
    return [_word_times(word, chars) for word in words]


def _borders(found: Emissions, path: Sequence[int]) -> list[Times]:
    """Begin and end of each token, in seconds: where the path changes. How much of the two frames beside a change is of
    the label behind it, and not of the one before it, says where in them the border lies, but no label loses more than
    GIVEN of its frames on a side: what neighbours on both sides are surer of still has a time of its own."""
    labels = np.asarray(path)
    inner = np.flatnonzero(np.diff(labels)) + 1
    beside = np.stack([inner - 1, inner])  # [2, changes]
    sure = np.exp(found.scores.numpy()[beside[..., None], labels[beside].T], dtype=np.float64)
    shares = (sure[..., 1] / np.maximum(sure.sum(-1), TINY)).sum(0)
    given = np.minimum(1.0, GIVEN * np.diff([0, *inner, len(path)]))  # frames, of each label on each of its sides
    moved = np.clip(1.0 - shares, -given[:-1], given[1:])
    borders = [found.edges[0], *(found.edges[inner] + FRAME_SECONDS * moved), found.edges[len(path)]]
    runs = zip([0, *inner], itertools.pairwise(map(float, borders)), strict=True)
    return [Times(*span) for frame, span in runs if path[frame]]


def _char_times(wanted: Target, spans: Sequence[Times]) -> dict[int, Times]:
    """Times of the characters of a text that are said, by place. The characters of a token share its time."""
    found: dict[int, Times] = {}
    for (start, end), span in zip(wanted.places, spans, strict=True):
        said = [place for place in range(start, end) if not text_words.silent(wanted.text[place])]
        for number, place in enumerate(said):
            share = (span.end - span.start) / len(said)
            begin = found[place].start if place in found else span.start + number * share
            found[place] = Times(begin, span.start + (number + 1) * share)
    return found


def _word_times(word: TextWord, chars: dict[int, Times]) -> Times | None:
    """From the first to the last character of a word that is said."""
    own = [chars[place] for place in range(word.start, word.end) if place in chars]
    return Times(max(0.0, own[0].start), max(0.0, own[-1].end)) if own else None
