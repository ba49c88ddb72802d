"""The likeliest way of a text's tokens through the frames of a recording (Viterbi over the CTC's states), exact however
long both are.

A table of all frames and states would take 1.5 GB of an hour with 12,000 tokens. Only the scores before every
`BLOCK`th frame are kept, and on the way back each block is computed again, for the states alone that lead to where it
ends. torchaudio has such a table, and its compiled part is missing where torch is not the one it was built with, as
beside vLLM on a CPU.
"""

from collections.abc import Sequence

import numpy as np

BLOCK = 1000  # frames


def best_path(scores: np.ndarray, labels: Sequence[int]) -> list[int]:
    """The label of each frame, 0 for blank. `scores` [frames, columns] are log-probabilities, the blank's first;
    `labels` are the columns of the text's tokens, at least one, which fit into the frames."""
    states, skips = _states(labels)
    first = np.full(len(states), -np.inf)
    first[:2] = scores[0, states[:2]]
    blocks = [scores[start : start + BLOCK] for start in range(1, len(scores), BLOCK)]
    kept = [first]
    for block in blocks[:-1]:
        kept.append(_run(kept[-1], states, skips, block))
    state, path = len(states) - 1, []
    for number in range(len(blocks) - 1, -1, -1):
        block = blocks[number]
        lowest = max(0, state - 2 * len(block) - 2)
        part = slice(lowest, state + 1)
        moves = np.empty((len(block), state + 1 - lowest), np.int8)
        ended = _run(kept[number][part], states[part], skips[part], block, moves)
        if not path:
            state -= int(ended[-1] <= ended[-2])
        for move in moves[::-1]:
            path.append(int(states[state]))
            state -= int(move[state - lowest])
    if not path:  # a single frame
        state -= int(first[-1] <= first[-2])
    path.append(int(states[state]))
    return path[::-1]


def _states(labels: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """States are blank, first token, blank, second token ... blank: the label of each, and 0 where it may be come to
    from the one before the last, a token from another token; else minus infinity."""
    tokens = np.asarray(labels)
    states = np.zeros(2 * len(tokens) + 1, np.int64)
    states[1::2] = tokens
    skips = np.full(len(states), -np.inf)
    skips[3::2] = np.where(tokens[1:] == tokens[:-1], -np.inf, 0.0)
    return states, skips


def _run(
    reached: np.ndarray, states: np.ndarray, skips: np.ndarray, scores: np.ndarray, moves: np.ndarray | None = None
) -> np.ndarray:
    """Score of the likeliest way to each state behind the frames of `scores`, from those before them. `moves` [frames,
    states] is filled with how many states each is best come on by."""
    ways = np.full((3, len(states)), -np.inf)
    for frame, row in enumerate(scores):
        ways[0] = reached
        ways[1, 1:] = reached[:-1]
        ways[2, 2:] = reached[:-2]
        ways[2] += skips
        if moves is not None:
            moves[frame] = ways.argmax(0)
        reached = ways.max(0) + row[states]
    return reached
