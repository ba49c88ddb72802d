"""Blocks: stretches of the input that are read, decoded and kept one after the other, so that memory does not grow with
the input, and a kill costs no more than the last of them."""

from collections.abc import Iterable, Iterator

from recipe.decode.requests import Request

BATCHES = (
    32  # of audio that a block has: enough to sort by length, and that the first read and the last batch count little
)
ENTRIES = 20_000  # that a block has at most


def blocks(requests: Iterable[Request], batch_seconds: float) -> Iterator[list[Request]]:
    """Requests in their order, cut where a block has the audio of `BATCHES` batches. Where depends on nothing before
    the block, so that a decoding which goes on has the blocks of one that was not interrupted."""
    block: list[Request] = []
    seconds = 0.0
    for request in requests:
        block.append(request)
        seconds += request.duration
        if seconds >= BATCHES * batch_seconds or len(block) >= ENTRIES:
            yield block
            block, seconds = [], 0.0
    if block:
        yield block
