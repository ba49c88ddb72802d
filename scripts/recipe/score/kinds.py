"""Kinds of reference tokens: numbers, names, hotwords, and those beside a switch of languages.

All go by the tokens of a normalized reference as they are aligned (upper case), and names by the transcript as it was
written. Each function gives the places of the tokens of its kind.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from recipe.score.tokens import digits_apart, fold, mixed_tokens
from recipe.text import words as text_words

NEAR = 2  # tokens on each side of a switch
# In texts whose numbers a normalizer did not write as digits. Not "one" and "second", which are mostly no numbers.
_NUMBER_WORDS = frozenset({
    "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE", "TEN", "ELEVEN", "TWELVE", "THIRTEEN", "FOURTEEN",
    "FIFTEEN", "SIXTEEN", "SEVENTEEN", "EIGHTEEN", "NINETEEN", "TWENTY", "THIRTY", "FORTY", "FIFTY", "SIXTY", "SEVENTY",
    "EIGHTY", "NINETY", "HUNDRED", "THOUSAND", "MILLION", "BILLION",
})  # fmt: skip
_ENDS = frozenset(".!?:;。！？：；…")
_CAPITAL_NOUNS = frozenset({"de", "deu", "ger", "german", "deutsch"})  # a language that writes every noun with one


def numbers(tokens: Sequence[str]) -> set[int]:
    """Tokens with a digit of any script, English number words, and two or more numerals of a script such as Chinese in
    a row (a single one, as in 一起, may be none)."""
    found = {place for place, token in enumerate(tokens) if _is_number(token)}
    for place, pair in enumerate(pairwise(map(_is_numeral, tokens))):
        if all(pair):
            found |= {place, place + 1}
    return found


# Tokens recur: what is looked up character by character is kept.
@lru_cache(maxsize=100_000)
def _is_number(token: str) -> bool:
    return token in _NUMBER_WORDS or any(map(str.isdigit, token))


@lru_cache(maxsize=100_000)
def _is_numeral(token: str) -> bool:
    return len(token) == 1 and unicodedata.numeric(token, None) is not None


def names(tokens: Sequence[str], written: str, language: str | None = None) -> set[int]:
    """Tokens that the transcript, as it was `written`, has with a capital inside a sentence, and never without one.
    None where capitals tell nothing: texts in capitals throughout, and a `language` that gives them to every noun."""
    if _capital_nouns(language):
        return set()
    capital, small = set(), set()
    inside = False  # a word of this sentence has been passed
    others = 0  # words inside sentences that might have had a capital and have none
    for word in text_words.split(written):
        text = written[word.start : word.end]
        said = "".join(char for char in text if not text_words.silent(char) or char in "'’")
        folded = mixed_tokens(fold(said.strip("'’")))
        if inside and _is_name(said):
            capital.update(folded)
        elif said[:1].islower():
            small.update(folded)
            others += 1
        inside = not any(char in _ENDS for char in text[1:])
    if len(capital) > 2 and len(capital) > others:
        return set()
    return {place for place, token in enumerate(tokens) if token in capital - small}


def _is_name(word: str) -> bool:
    """Whether a word has a capital and then small letters; I'm is none."""
    return word[:1].isupper() and word[1:2] not in "'’" and any(map(str.islower, word[1:]))


def _capital_nouns(language: str | None) -> bool:
    """Whether a label (de, de-AT, German) is of a language that gives capitals to all nouns."""
    return language is not None and re.split("[-_]", language.lower())[0] in _CAPITAL_NOUNS


def hotwords(tokens: Sequence[str], listed: Sequence[str]) -> set[int]:
    """Tokens of the `listed` words and phrases, normalized as the reference is, wherever they stand in it."""
    found = set()
    for phrase in listed:
        wanted = [part for token in mixed_tokens(fold(phrase)) for part in _cut(token, tokens)]
        for place in range(len(tokens) - len(wanted) + 1) if wanted else ():
            if list(tokens[place : place + len(wanted)]) == wanted:
                found |= set(range(place, place + len(wanted)))
    return found


def _cut(token: str, tokens: Sequence[str]) -> list[str]:
    """A token of a hotword as the reference has it: its digits may be tokens of their own there."""
    return [token] if token in tokens else digits_apart(token)


@lru_cache(maxsize=100_000)
def script(token: str) -> str | None:
    """The script of a token's first letter, by its Unicode name; Chinese characters and kana are one. None without a
    letter: a number belongs to the language around it."""
    for char in token:
        if char.isalpha():
            name = unicodedata.name(char, "").split(" ")[0]
            return "CJK" if name in ("CJK", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC") else name
    return None


def switches(tokens: Sequence[str]) -> list[int]:
    """Places of the tokens that are in another script than the last one before them that is in any."""
    found, before = [], None
    for place, token in enumerate(tokens):
        own = script(token)
        if own is not None:
            if before not in (None, own):
                found.append(place)
            before = own
    return found


def beside(tokens: Sequence[str], places: Sequence[int]) -> set[int]:
    """Tokens at most NEAR away from where one of the `places` begins, on both sides."""
    return {near for at in places for near in range(max(0, at - NEAR), min(len(tokens), at + NEAR))}
