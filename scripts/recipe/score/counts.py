"""Counts: what became of the tokens of one utterance, and of all."""

import heapq
from collections import Counter
from typing import Any, NamedTuple

from recipe.score.align import Edit, edits
from recipe.score.tokens import CLUSTERS, Cached, Text, cluster, words

RATES = ("mer", "cer", "wer")


class Counts(NamedTuple):
    """Reference tokens recognized, substituted and deleted, and hypothesis tokens inserted."""

    cor: int
    sub: int
    dels: int
    ins: int

    @property
    def n(self) -> int:
        return self.cor + self.sub + self.dels

    @property
    def errors(self) -> int:
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
        return {"rate": self.rate, "n": self.n, "cor": self.cor, "sub": self.sub, "del": self.dels, "ins": self.ins}


def count(ref_length: int, hyp_length: int, found: list[Edit]) -> Counts:
    """Counts of an alignment from its edits."""
    sub = [kind for kind, _, _ in found].count("replace")
    # sub + dels + ins = all edits, dels - ins = difference of the lengths.
    dels = (len(found) - sub + ref_length - hyp_length) // 2
    return Counts(ref_length - sub - dels, sub, dels, len(found) - sub - dels)


def counts_by_rate(ref: Text, hyp: Text, mer: Counts) -> dict[str, Counts]:
    """Counts of one utterance for each of RATES, given those of the mixed tokens."""
    cer = wer = mer
    chars, hyp_chars = "".join(ref.mixed), "".join(hyp.mixed)
    if len(chars) > len(ref.mixed) or len(hyp_chars) > len(hyp.mixed):
        cer = count(len(chars), len(hyp_chars), edits(chars, hyp_chars))
    # Mostly the words are the mixed tokens, which a plain split shows sooner than working the words out.
    if ref.folded.split() != ref.mixed or hyp.folded.split() != hyp.mixed:
        ref_words, hyp_words = words(ref.folded), words(hyp.folded)
        wer = count(len(ref_words), len(hyp_words), edits(ref_words, hyp_words))
    return {"mer": mer, "cer": cer, "wer": wer}


class TokenErrors:
    """What happened to the tokens: the source of all counts of cer.txt and of the lists of errors."""

    def __init__(self):
        self.utterances: Counter[str] = Counter()
        self.confusions: Counter[tuple[str, str]] = Counter()
        self.deletions: Counter[str] = Counter()
        self.insertions: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._clusters = Cached(cluster)

    def add(self, ref: list[str], hyp: list[str], found: list[Edit]) -> None:
        """Add one utterance. `utterances` counts those that have reference tokens of a cluster."""
        names = [self._clusters[token] for token in ref]
        for name in set(names):
            self.utterances[name] += 1
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


def most_common(counter: Counter, size: int) -> list[tuple[Any, int]]:
    """The `size` most frequent entries; equal counts in the order of their names, whatever the order of counting."""
    return heapq.nsmallest(size, counter.items(), key=lambda item: (-item[1], item[0]))
