"""Counts: what became of the tokens of one utterance, and of all."""

import heapq
from collections import Counter
from typing import Any, NamedTuple

from recipe.score.align import Edit, edits
from recipe.score.tokens import CLUSTERS, Cached, TokenizedText, cluster, words

RATES = ("mer", "cer", "wer")  # over mixed tokens, characters, words


class Counts(NamedTuple):
    """Reference tokens recognized, substituted and deleted, and hypothesis tokens inserted."""

    cor: int
    sub: int
    dels: int
    ins: int

    @property
    def n(self) -> int:
        """Reference tokens."""
        return self.cor + self.sub + self.dels

    @property
    def errors(self) -> int:
        """Edits."""
        return self.sub + self.dels + self.ins

    @property
    def rate(self) -> float | None:
        """Errors per reference token; None without reference tokens."""
        return self.errors / self.n if self.n else None

    def __str__(self) -> str:
        """As cer.txt has it. Insertions without a reference are shown as 100 %, for 0 % would hide them."""
        percent = 100 * min(self.ins, 1) if self.rate is None else self.rate * 100
        return f"{percent:4.2f} % N={self.n} Cor={self.cor} Sub={self.sub} Del={self.dels} Ins={self.ins}"

    def as_dict(self) -> dict[str, Any]:
        """As score.json has them, where `dels` is called "del"."""
        return {"rate": self.rate, "n": self.n, "cor": self.cor, "sub": self.sub, "del": self.dels, "ins": self.ins}


def count(ref_length: int, hyp_length: int, found: list[Edit]) -> Counts:
    """Counts of an alignment from the numbers of tokens and its edits."""
    sub = [kind for kind, _, _ in found].count("replace")
    # sub + dels + ins = all edits, dels - ins = difference of the lengths.
    dels = (len(found) - sub + ref_length - hyp_length) // 2
    return Counts(ref_length - sub - dels, sub, dels, len(found) - sub - dels)


def counts_by_rate(ref: TokenizedText, hyp: TokenizedText, mer: Counts) -> dict[str, Counts]:
    """Counts of one utterance for each of RATES: of the mixed tokens, which are given as `mer`, of characters and of
    words. RecipeError for texts that take too long to align (see `align.edits`)."""
    cer = wer = mer
    chars, hyp_chars = "".join(ref.mixed), "".join(hyp.mixed)
    if len(chars) > len(ref.mixed) or len(hyp_chars) > len(hyp.mixed):
        cer = count(len(chars), len(hyp_chars), edits(chars, hyp_chars))
    # Mostly the words are the mixed tokens, which a plain split shows sooner than working the words out.
    if ref.folded.split() != ref.mixed or hyp.folded.split() != hyp.mixed:
        ref_words, hyp_words = words(ref.folded), words(hyp.folded)
        wer = count(len(ref_words), len(hyp_words), edits(ref_words, hyp_words))
    return {"mer": mer, "cer": cer, "wer": wer}


class SentenceErrors(NamedTuple):
    """Utterances with an error in their mixed tokens: their share (None of none), all utterances, those with one."""

    rate: float | None
    n: int
    err: int


class TokenErrors:
    """What happened to the mixed tokens: the source of all counts of cer.txt and of the lists of errors.

    `cluster_utterances` counts, by script cluster, the utterances with reference tokens of it; `confusions` are
    (reference token, hypothesis token).
    """

    def __init__(self):
        self.right = self.wrong = 0  # utterances without and with an error
        self.cluster_utterances: Counter[str] = Counter()
        self.confusions: Counter[tuple[str, str]] = Counter()
        self.deletions: Counter[str] = Counter()
        self.insertions: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._clusters = Cached(cluster)

    def add(self, ref: list[str], hyp: list[str], found: list[Edit]) -> None:
        """Add one utterance: its mixed tokens and the edits between them."""
        self.wrong += bool(found)
        self.right += not found
        names = [self._clusters[token] for token in ref]
        for name in set(names):
            self.cluster_utterances[name] += 1
            self._tokens[name] += names.count(name)
        for kind, at_ref, at_hyp in found:
            if kind == "replace":
                self.confusions[ref[at_ref], hyp[at_hyp]] += 1
            elif kind == "delete":
                self.deletions[ref[at_ref]] += 1
            else:
                self.insertions[hyp[at_hyp]] += 1

    def by_cluster(self) -> dict[str, Counts]:
        """Counts per script cluster: a substitution counts for its reference token, an insertion for its own."""
        sub, dels, ins = Counter(), Counter(), Counter()
        for (token, _), times in self.confusions.items():
            sub[self._clusters[token]] += times
        for token, times in self.deletions.items():
            dels[self._clusters[token]] += times
        for token, times in self.insertions.items():
            ins[self._clusters[token]] += times
        return {
            name: Counts(self._tokens[name] - sub[name] - dels[name], sub[name], dels[name], ins[name])
            for name in CLUSTERS
            if self._tokens[name] or ins[name]
        }

    def total(self) -> Counts:
        """Counts of all tokens."""
        sub, dels, ins = self.confusions.total(), self.deletions.total(), self.insertions.total()
        return Counts(self._tokens.total() - sub - dels, sub, dels, ins)

    def sentences(self) -> SentenceErrors:
        """How many of all utterances have an error."""
        total = self.right + self.wrong
        return SentenceErrors(self.wrong / total if total else None, total, self.wrong)

    def lists(self, size: int | None = None) -> dict[str, tuple[tuple, ...]]:
        """The errors with their frequency, the most frequent first, at most `size` of a kind: "confusions" as
        (reference token, hypothesis token, times), "insertions" and "deletions" as (token, times)."""
        return {
            "confusions": tuple((*pair, times) for pair, times in most_common(self.confusions, size)),
            "insertions": tuple(most_common(self.insertions, size)),
            "deletions": tuple(most_common(self.deletions, size)),
        }


def most_common(counter: Counter, size: int | None = None) -> list[tuple[Any, int]]:
    """The `size` most frequent entries (None: all); equal counts in the order of their names, whatever the order of
    counting."""
    size = len(counter) if size is None else size
    return heapq.nsmallest(size, counter.items(), key=lambda item: (-item[1], item[0]))
