"""Loops: texts in which a decoder has lost its way."""

from collections.abc import Hashable, Sequence

# A loop is a phrase of at most LOOP_PERIOD tokens, said LOOP_TIMES in a row and making at least LOOP_TOKENS.
LOOP_PERIOD = 30
LOOP_TIMES = 5
LOOP_TOKENS = 10


def loops(tokens: Sequence[Hashable]) -> bool:
    """Whether a phrase is repeated as decoders do that have lost their way (see LOOP_PERIOD). Linear in the tokens."""
    # A loop repeats at least this many tokens, so most texts are dismissed by their number of different tokens.
    if len(tokens) - len(set(tokens)) < LOOP_TOKENS * (LOOP_TIMES - 1) // LOOP_TIMES:
        return False
    for period in range(1, min(LOOP_PERIOD, len(tokens) // LOOP_TIMES) + 1):
        needed = max(LOOP_TIMES * period, LOOP_TOKENS) - period
        run = 0
        for token, before in zip(tokens[period:], tokens, strict=False):
            run = run + 1 if token == before else 0
            if run >= needed:
                return True
    return False
