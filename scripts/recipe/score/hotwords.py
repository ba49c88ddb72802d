"""How well a system writes the words that it was told to expect."""

from typing import Any

from recipe.score.tokens import fold, mixed_tokens
from recipe.text import tables
from recipe.text.prompt import split_hotwords

LISTED_HOTWORDS = 50
OTHER_KEYS = "*"  # in a table of hotwords: the utterances that it does not list


class HotwordScores:
    """Recall and precision of each utterance's hotwords: a hotword counts as often as it is in the reference, is hit as
    often as it is in both texts, and is false where the hypothesis has more of it than the reference.

    The file at `path` is a Kaldi table: a key (`*` for utterances that are not listed), then words separated by commas,
    normalized as the texts are. `remove_tags` as for the texts (see `tokens.fold`). RecipeError names the line of a key
    that appears twice."""

    def __init__(self, path: str, remove_tags: bool):
        self.words: dict[str, dict[str, list[str]]] = {}
        for key, listed in tables.read_map(path).items():
            entries = (mixed_tokens(fold(word, remove_tags)) for word in split_hotwords(listed))
            self.words[key] = {" ".join(tokens): tokens for tokens in entries if tokens}
        self._others = self.words.get(OTHER_KEYS, {})
        self.found: dict[str, list[int]] = {}  # [in references, in hypotheses, in both] per hotword

    @staticmethod
    def _joined(tokens: list[str]) -> str:
        # A space on both sides of each token, so that neighbours share none and every occurrence is counted.
        return "".join(f" {token} " for token in tokens)

    def add(self, key: str, ref: list[str], hyp: list[str]) -> None:
        """Look for the hotwords of an utterance in the mixed tokens of its two texts."""
        ref_text, hyp_text = self._joined(ref), self._joined(hyp)
        for word, tokens in self.words.get(key, self._others).items():
            pattern = self._joined(tokens)
            in_ref, in_hyp = ref_text.count(pattern), hyp_text.count(pattern)
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
