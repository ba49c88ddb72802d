"""The matched-pairs sentence-segment word error test of Gillick and Cox, "Some statistical issues in the comparison of
speech recognition algorithms" (ICASSP 1989), as NIST's sc_stats applies it. It takes segments to be independent, which
those of one speaker are not: it is there to compare with published figures, and decides nothing here.
"""

import math
from typing import Any

from recipe.score.align import Edit

# Reference tokens, correct in both systems, that separate two segments.
SEPARATION = 2


class MatchedPairs:
    """The matched-pairs test over segments: stretches with errors of either system, ended by the utterance's ends or by
    two reference tokens that both systems have right, so that errors in different segments are independent."""

    def __init__(self):
        self.segments = self.total = self.squares = 0

    def add(self, ours: list[Edit], others: list[Edit]) -> None:
        """Add one utterance by the edits of the two systems against the same reference."""
        # Place 2 i + 1 is reference token i, place 2 i the gap before it.
        errors = sorted(
            (2 * at_ref + (kind != "insert"), sign)
            for found, sign in ((ours, 1), (others, -1))
            for kind, at_ref, _ in found
        )
        balance = 0
        for index, (place, sign) in enumerate(errors):
            balance += sign
            last = index + 1 == len(errors)
            if last or errors[index + 1][0] // 2 - (place + 1) // 2 >= SEPARATION:
                self.segments += 1
                self.total += balance
                self.squares += balance * balance
                balance = 0

    def result(self) -> dict[str, Any]:
        """Number of segments, mean difference of errors per segment (negative where the first system is better), its
        standard deviation, z and the two-sided p; None where there are too few segments."""
        count = self.segments
        result = {"segments": count, "mean": None, "sd": None, "z": None, "p": None}
        if count < 2:
            return result
        # In whole numbers up to the division, so that equal differences give exactly zero.
        deviation = math.sqrt((self.squares * count - self.total**2) / (count * (count - 1)))
        result |= {"mean": self.total / count, "sd": deviation}
        if deviation > 0:
            z = self.total / count / deviation * math.sqrt(count)
            result |= {"z": z, "p": math.erfc(abs(z) / math.sqrt(2))}
        elif self.total == 0:
            result |= {"z": 0.0, "p": 1.0}
        return result
