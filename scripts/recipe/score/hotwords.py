"""How well a system writes the words that it was told to expect."""

import re
from collections.abc import Sequence
from typing import Any

from recipe.score.policy import ScoringPolicy
from recipe.score.tokens import digits_apart, fold, mixed_tokens
from recipe.text import tables
from recipe.text.prompt import split_hotwords

LISTED_HOTWORDS = 50
OTHER_KEYS = "*"  # in a table of hotwords: the utterances that it does not list
_WITHIN = "\t"  # between the digits of a number; tokens have no white space
_DIGIT = re.compile(r"\d")
_BETWEEN_DIGITS = re.compile(rf"(?<=\d)(?:{_WITHIN}|  )(?=\d)")


class HotwordScores:
    """Recall and precision of each utterance's hotwords: a hotword counts as often as it is in the reference, is hit as
    often as it is in both texts, and is false where the hypothesis has more of it than the reference.

    The file at `path` is a Kaldi table: a key (`*` for utterances that are not listed), then words separated by commas,
    normalized as the texts are, and cut as `policy` says. Where digits count singly, 360 is also found in 3 60, but not
    in 1360. RecipeError names the line of a key that appears twice."""

    def __init__(self, path: str, policy: ScoringPolicy):
        self._single_digits = policy.single_digits
        self.words: dict[str, dict[str, re.Pattern | str]] = {}
        for key, listed in tables.read_map(path).items():
            entries = (mixed_tokens(fold(word, policy.remove_tags)) for word in split_hotwords(listed))
            self.words[key] = {" ".join(tokens): self._pattern(tokens) for tokens in entries if tokens}
        self._others = self.words.get(OTHER_KEYS, {})
        self.found: dict[str, list[int]] = {}  # [in references, in hypotheses, in both] per hotword

    def _joined(self, tokens: Sequence[str]) -> str:
        # A space on both sides of each token, so that neighbours share none and every occurrence is counted.
        if self._single_digits:
            tokens = [_WITHIN.join(digits_apart(token)) for token in tokens]
        return "".join(f" {token} " for token in tokens)

    def _pattern(self, tokens: Sequence[str]) -> re.Pattern | str:
        """What to look for: a text or, where digits may be joined or not, an expression."""
        text = self._joined(tokens)
        if not (self._single_digits and _DIGIT.search(text)):
            return text
        return re.compile(f"(?:{_WITHIN}|  )".join(map(re.escape, _BETWEEN_DIGITS.split(text))))

    def add(self, key: str, ref: Sequence[str], hyp: Sequence[str]) -> None:
        """Look for the hotwords of an utterance in the tokens of its two texts, with numbers whole."""
        ref_text, hyp_text = self._joined(ref), self._joined(hyp)
        for word, pattern in self.words.get(key, self._others).items():
            in_ref, in_hyp = _count(pattern, ref_text), _count(pattern, hyp_text)
            if in_ref or in_hyp:
                sums = self.found.setdefault(word, [0, 0, 0])
                for index, value in enumerate((in_ref, in_hyp, min(in_ref, in_hyp))):
                    sums[index] += value

    def result(self) -> dict[str, Any]:
        """The part "hotwords" of score.json: rates as fractions (None of none), occurrences, and for the hotwords with
        the most misses [word, in references, in hypotheses, in both]."""
        ref, hyp, hits = (sum(sums[index] for sums in self.found.values()) for index in range(3))
        worst = sorted(self.found.items(), key=lambda item: (item[1][2] - item[1][0], item[0]))
        return {
            "recall": hits / ref if ref else None,
            "precision": hits / hyp if hyp else None,
            "f1": 2 * hits / (ref + hyp) if ref + hyp else None,
            "ref": ref,
            "hyp": hyp,
            "hits": hits,
            "words": [[word, *sums] for word, sums in worst[:LISTED_HOTWORDS]],
        }


def _count(pattern: re.Pattern | str, text: str) -> int:
    """How often a pattern is in a text."""
    return text.count(pattern) if isinstance(pattern, str) else sum(1 for _ in pattern.finditer(text))
