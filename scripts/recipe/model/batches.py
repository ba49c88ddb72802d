"""Batches: utterances of like length together, each batch of limited padded size."""

from collections.abc import Sequence


def batch_by_size(order: Sequence[int], frames: Sequence[int], max_frames: int) -> list[list[int]]:
    """Indices of `order`, in that order, in batches whose padded size, utterances x the longest's frames, is at most
    `max_frames`. `frames[i]` is the length of utterance i; one that is longer than `max_frames` is a batch of its own.
    No `order`, no batches."""
    batches: list[list[int]] = []
    current: list[int] = []
    longest = 0
    for index in order:
        longest = max(longest, frames[index])
        if current and longest * (len(current) + 1) > max_frames:
            batches.append(current)
            current, longest = [], frames[index]
        current.append(index)
    return [*batches, current] if current else batches


def padding_share(batches: Sequence[Sequence[int]], frames: Sequence[int]) -> float:
    """Share of padding among all frames of `batches` of indices, 0 to 1 (0 without batches)."""
    real = sum(frames[i] for batch in batches for i in batch)
    padded = sum(len(batch) * max(frames[i] for i in batch) for batch in batches)
    return 1 - real / padded if padded else 0.0
