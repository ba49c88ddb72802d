"""Tokens, counts and the file cer.txt: error rates as the compute-wer package (0.2.5) counts them.

Three tokenizations of a text, after upper-casing and NFC (so NFC and NFD spellings compare equal):
- mixed (MER, the number in cer.txt): one token per character of Chinese, Japanese kana, Thai, Lao, Khmer, Myanmar and
  Tibetan; one per punctuation mark or symbol; runs of other letters, digits, combining marks and inner apostrophes
  are words.
- characters (CER): every character of the mixed tokens.
- words (WER): what white space separates.
White space and control characters separate; invisible characters (joiners, soft hyphens, variation selectors) vanish.
"""

import heapq
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from os import PathLike
from typing import Any, NamedTuple

from recipe.files import RecipeError, read_table
from recipe.score.align import Edit

RULE = "=" * 75
CLUSTERS = ("Chinese", "English", "Number", "Japanese", "Other")

# Beginnings of Unicode names, as the compute-wer package sorts characters into clusters.
_CLUSTER_NAMES = (
    ("CJK UNIFIED IDEOGRAPH", "Chinese"),
    ("CJK COMPATIBILITY IDEOGRAPH", "Chinese"),
    ("LATIN CAPITAL LETTER", "English"),
    ("LATIN SMALL LETTER", "English"),
    ("DIGIT", "Number"),
    ("HIRAGANA LETTER", "Japanese"),
    ("KATAKANA LETTER", "Japanese"),
)

# Code points of scripts that are counted per character. The package has the blocks marked *; the others are the same
# scripts' characters outside these blocks, which it would join into words.
_PER_CHARACTER = (
    (0x0E00, 0x0E7F),  # Thai *
    (0x0E80, 0x0EFF),  # Lao *
    (0x0F00, 0x0FFF),  # Tibetan *
    (0x1000, 0x109F),  # Myanmar *
    (0x1780, 0x17FF),  # Khmer *
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark and zero
    (0x3040, 0x30FF),  # Hiragana, Katakana *
    (0x31F0, 0x31FF),  # Katakana phonetic extensions
    (0x3400, 0x4DBF),  # CJK extension A
    (0x4E00, 0x9FFF),  # CJK *
    (0xF900, 0xFAFF),  # CJK compatibility
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x1B000, 0x1B16F),  # Kana supplement and extensions
    (0x20000, 0x3FFFF),  # CJK extensions B and later
)
_ZERO_WIDTH_SPACE = 0x200B
# Marks that choose a glyph and are no content: grapheme joiner and variation selectors.
_INVISIBLE_MARKS = {0x034F, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
_TAG = re.compile(r"<[^<>]*>")


def _spacing(code: int) -> str | None:
    """What becomes of a character in all tokenizations: " ", None (vanishes) or itself."""
    category = unicodedata.category(chr(code))
    if category[0] == "Z" or category == "Cc" or code == _ZERO_WIDTH_SPACE:
        return " "
    return None if category == "Cf" or code in _INVISIBLE_MARKS else chr(code)


def _separated(code: int) -> str | None:
    """What becomes of a character in the mixed tokenization: as `_spacing`, and a token of its own gets spaces around.

    Unassigned and private characters are tokens too: the package drops them, so that two different texts compare equal.
    """
    char = _spacing(code)
    if not char or char in " '":
        return char
    category = unicodedata.category(char)
    own = category[0] in "PS" or category in ("Cn", "Co") or any(low <= code <= high for low, high in _PER_CHARACTER)
    return f" {char} " if own else char


class Cached(dict):
    """The values of a function, each worked out once; for str.translate, or to look up tokens fast."""

    def __init__(self, function: Callable):
        super().__init__()
        self._function = function

    def __missing__(self, key: Any) -> Any:
        self[key] = value = self._function(key)
        return value


_SPACED = Cached(_spacing)
_SEPARATED = Cached(_separated)


def fold(text: str, remove_tags: bool = False) -> str:
    """Upper case and NFC; with `remove_tags`, spans of `<...>` become spaces first."""
    if remove_tags:
        text = _TAG.sub(" ", text)
    if text.isascii():
        return text.upper()
    # Case mapping can decompose a character and must see a canonical order, hence NFC on both sides.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).upper())


def mixed_tokens(folded: str) -> list[str]:
    """Tokens of a folded text in the mixed tokenization. Linear in the length of the text."""
    tokens = folded.translate(_SEPARATED).split()
    if "'" not in folded:
        return tokens
    parts = []
    for token in tokens:
        word = token.lstrip("'")  # an apostrophe that no letter precedes is a punctuation mark
        parts += ["'"] * (len(token) - len(word))
        if word:
            parts.append(word)
    return parts


def words(folded: str) -> list[str]:
    """Tokens of a folded text between white space."""
    return folded.translate(_SPACED).split()


def cluster(token: str) -> str:
    """The script cluster of a token: that of its characters where they agree, else "Other". Apostrophes and combining
    marks do not count."""
    found = {
        next((value for start, value in _CLUSTER_NAMES if name.startswith(start)), "Other")
        for name in (
            unicodedata.name(char, "") for char in token if char != "'" and unicodedata.category(char)[0] != "M"
        )
    }
    return found.pop() if len(found) == 1 else "Other"


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


def width(token: str) -> int:
    """Columns of a token on a terminal: two for East Asian wide and ambiguous characters, none for combining marks."""
    return sum(
        0 if unicodedata.category(char) in ("Mn", "Me") else 1 + (unicodedata.east_asian_width(char) in "AFW")
        for char in token
    )


def aligned_lines(ref: list[str], hyp: list[str], found: list[Edit], widths: dict[str, int]) -> tuple[str, str]:
    """The two texts with their tokens above each other; `widths` is `Cached(width)`."""
    if not found:
        line = " ".join(ref)
        return line, line
    above: list[str] = []
    below: list[str] = []
    i = j = 0
    for kind, at_ref, at_hyp in found:
        above += ref[i:at_ref]
        below += hyp[j:at_hyp]
        top = "" if kind == "insert" else ref[at_ref]
        bottom = "" if kind == "delete" else hyp[at_hyp]
        gap = widths[bottom] - widths[top]
        above.append(top + " " * gap)
        below.append(bottom + " " * -gap)
        i = at_ref + (kind != "insert")
        j = at_hyp + (kind != "delete")
    above += ref[i:]
    below += hyp[j:]
    return " ".join(above), " ".join(below)


def utterance_block(key: str, counts: Counts, ref_line: str, hyp_line: str) -> str:
    """One utterance in cer.txt."""
    return f"utt: {key}\nWER: {counts}\nref: {ref_line}\nhyp: {hyp_line}\n\n"


def summary(overall: Counts, by_cluster: dict[str, Counts], right: int, wrong: int, extra: int, missing: int) -> str:
    """The end of cer.txt: at most nine lines, so that `tail -n8` always shows "Overall".

    `right` and `wrong` count utterances; ML (missing labels) are hypotheses without a reference, MH references without
    a hypothesis. As in the package, clusters without reference tokens have no line.
    """
    ser = wrong / (right + wrong) * 100 if right + wrong else 0
    lines = [RULE, f"Overall -> {overall}"]
    lines += [f"{name} -> {by_cluster[name]}" for name in CLUSTERS if name in by_cluster and by_cluster[name].n]
    lines += [f"SER -> {ser:4.2f} % N={right + wrong} Cor={right} Err={wrong} ML={extra} MH={missing}", RULE]
    return "".join(line + "\n" for line in lines)


class Transcripts:
    """A Kaldi `text` file read in order, once. `repeated` counts identical entries met again, which are passed over."""

    def __init__(self, path: str | PathLike):
        self.path = path
        self.repeated = 0

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield (key, text). RecipeError names the line of a key with two different texts or of a NUL character."""
        seen: dict[str, int] = {}
        for number, key, text in read_table(self.path):
            if "\0" in key or "\0" in text:
                raise RecipeError(f"{self.path}:{number}: key {key!r} has a NUL character; the file is damaged")
            mark = hash(text)  # in place of the text, for the sake of memory; 64 bits do not meet by chance
            if key not in seen:
                seen[key] = mark
                yield key, text
            elif seen[key] == mark:
                self.repeated += 1
            else:
                raise RecipeError(f"{self.path}:{number}: key {key!r} appeared before with another text; keep one")


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
