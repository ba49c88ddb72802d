"""The likeliest way of a text's tokens through the frames of a recording (Viterbi over the CTC's states), exact however
long both are.

torchaudio's table of all frames and states is a byte for each: 1.5 GB of an hour with 12,000 tokens. Beyond `LARGEST`
only the scores before every `BLOCK`th frame are kept, and on the way back each block is computed again, for the states
alone that lead to where it ends.
"""

from collections.abc import Sequence

import numpy as np
import torch

LARGEST = 2**26  # frames times states of torchaudio's table, a byte each
BLOCK = 2000  # frames


def best_path(scores: torch.Tensor, labels: Sequence[int]) -> list[int]:
    """The label of each frame, 0 for blank. `scores` [frames, columns] are log-probabilities, the blank's first;
    `labels` are the columns of the text's tokens, at least one, which fit into the frames."""
    if len(scores) * (2 * len(labels) + 1) > LARGEST:
        return _in_blocks(scores.numpy(), np.asarray(labels))
    from torchaudio.functional import forced_align

    path, _ = forced_align(scores[None].contiguous(), torch.tensor([labels], dtype=torch.int32), blank=0)
    return path[0].tolist()


def _in_blocks(scores: np.ndarray, labels: np.ndarray) -> list[int]:
    """States are blank, first token, blank, second token ... blank. From one frame to the next a path stays, goes on by
    one, or by two from a token to another one."""
    states = np.zeros(2 * len(labels) + 1, np.int64)
    states[1::2] = labels
    skips = np.full(len(states), -np.inf)
    skips[3::2] = np.where(labels[1:] == labels[:-1], -np.inf, 0.0)
    reached = np.full(len(states), -np.inf)
    reached[0], reached[1] = scores[0, 0], scores[0, labels[0]]
    kept = []
    ways = np.empty((3, len(states)))
    for frame in range(1, len(scores)):
        if frame % BLOCK == 1:
            kept.append(reached)
        _ways(reached, skips, ways)
        reached = ways.max(0) + scores[frame, states]
    state = len(states) - 1 if reached[-1] > reached[-2] else len(states) - 2
    path = [states[state]]
    for number in range(len(kept) - 1, -1, -1):
        first, last = number * BLOCK + 1, min(len(scores), (number + 1) * BLOCK + 1)
        lowest = max(0, state - 2 * (last - first) - 2)
        part = slice(lowest, state + 1)
        moves = _moves(kept[number][part], skips[part], scores[first:last], states[part])
        for move in moves[::-1]:
            state -= int(move[state - lowest])
            path.append(states[state])
    return [int(label) for label in reversed(path)]


def _moves(reached: np.ndarray, skips: np.ndarray, scores: np.ndarray, states: np.ndarray) -> np.ndarray:
    """By how many states each frame's states are best come to, [frames, states]."""
    moves = np.empty((len(scores), len(states)), np.int8)
    ways = np.empty((3, len(states)))
    for frame, row in enumerate(scores):
        _ways(reached, skips, ways)
        moves[frame] = ways.argmax(0)
        reached = ways.max(0) + row[states]
    return moves


def _ways(reached: np.ndarray, skips: np.ndarray, ways: np.ndarray) -> None:
    """Fill `ways` [3, states]: how likely each state is come to by staying, from the one before it, and from the one
    before that."""
    ways[0] = reached
    ways[1, 0], ways[1, 1:] = -np.inf, reached[:-1]
    ways[2, :2], ways[2, 2:] = -np.inf, reached[:-2]
    ways[2] += skips
