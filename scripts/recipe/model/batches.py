"""Batches: items of like length cut into runs of limited padded size."""

from collections.abc import Sequence


def cut(order: Sequence[int], frames: Sequence[int], budget: int) -> list[list[int]]:
    """Cut indices in `order` into runs whose padded size (count x longest) is at most `budget` frames; an utterance
    longer than the budget is a batch of its own."""
    batches: list[list[int]] = []
    current: list[int] = []
    longest = 0
    for index in order:
        longest = max(longest, frames[index])
        if current and longest * (len(current) + 1) > budget:
            batches.append(current)
            current, longest = [], frames[index]
        current.append(index)
    return [*batches, current] if current else batches


def padding_share(batches: Sequence[Sequence[int]], frames: Sequence[int]) -> float:
    """Share of padded frames among all frames of the batches."""
    real = sum(frames[i] for batch in batches for i in batch)
    padded = sum(len(batch) * max(frames[i] for i in batch) for batch in batches)
    return 1 - real / padded if padded else 0.0
