"""Letters that are read one by one: `u.s.`, `J. K.`, `n b a`, and digits among them."""

import re

from recipe.normalize.numbers_en import DIGIT, one_by_one

# u.s., u.s.a, a.m.: letters each with a period, two at least.
_SPACED_INITIALS = re.compile(r"(?<![a-z0-9.'])(?:[a-z]\. )+(?=[a-z]\.)")
_INITIALS = re.compile(r"(?<![a-z0-9.'])(?:[a-z]\.)+(?:[a-z](?![a-z0-9'])\.?|(?<=\.[a-z]\.)(?![a-z0-9]))")
_NO_DIGITS = r"(?![\w'-]| (?:hundred|thousand|million|point)\b)"
_DIGITS = re.compile(rf"(?<=(?<![\w'])[a-np-z] [a-np-z] )({DIGIT}(?: {DIGIT})+){_NO_DIGITS}")
# Behind one digit alone a letter o is no zero (b two o).
_TWO_DIGITS = re.compile(rf"(?<=(?<![\w'])[b-hj-np-z] )({DIGIT} (?!o\b){DIGIT}){_NO_DIGITS}(?! {DIGIT}\b)")
_OXIDE = re.compile(rf"(?<![\w'])([cns]) o (?={DIGIT}{_NO_DIGITS}(?! {DIGIT}\b))")
_SIGN = r"[-=<>+*&@^/×÷]"
_APART = re.compile(rf"(?<![\w'])(?<!{_SIGN} )(?<!{_SIGN})[a-z](?: [a-z])+(?![\w'.]| ?{_SIGN} ?[\w-])")
_TWO_LETTERS = frozenset(re.findall(r"\w+", "tv uk us pc cd dj dc ny hr pr vp id eu un mp ad bc am pm ok kg km cm mm"))
_WITH_I = frozenset(("iq", "ip", "ie"))
_AND_LETTER = re.compile(r" and [b-hj-z](?![\w'])")  # a t and t
_CONSONANT = re.compile("[b-df-hj-np-tv-xz]")
# The network, not the weight in grams.
_GENERATION = re.compile(
    r"\b(two|three|four|five|six|[2-6]) g(?= (?:network|phone|service|speed|coverage|signal|technology)s?(?![\w']))"
    r"|\b(two|three|four|five|six) g(?![\w'.])(?! [a-z]\b)"
)
_GENERATIONS = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6"}


_ALONE = re.compile(r"(?<![\w'])[b-z](?![\w'])")
_DOCTORATE = re.compile(r"\bph\. ?d\b\.?")
_ERA = re.compile(
    r"(\d|hundred|thousand|ty|teen|ten|eleven|twelve|one|two|three|four|five|six|seven|eight|nine)"
    r" (a d|b c e|b c|c e)(?![\w'])"
)


def initials(text: str) -> str:
    """`u.s.` -> `us`, and `J. K.` in lower case -> `jk`."""
    if "." not in text:
        return text
    text = _DOCTORATE.sub("phd", text)
    text = _SPACED_INITIALS.sub(lambda found: found[0].replace(" ", ""), text)
    return _INITIALS.sub(lambda found: found[0].replace(".", "") + " ", text)


def before_numbers(text: str) -> str:
    """Digit words behind letters apart are digits (`k r three one` -> `k r 31`), and `five g` is a network."""
    if not _ALONE.search(text):
        return text
    text = _ERA.sub(lambda match: f"{match[1]} {match[2].replace(' ', '')}", text)
    if " o " in text:
        text = _OXIDE.sub(r"\1o ", text)
    text = _TWO_DIGITS.sub(lambda match: one_by_one(match[1]), _DIGITS.sub(lambda match: one_by_one(match[1]), text))
    return _GENERATION.sub(_generation, text) if " g" in text else text


def _generation(match: re.Match) -> str:
    number = match[1] or match[2]
    return f"{_GENERATIONS.get(number, number)}g"


def join_letters(text: str) -> str:
    """`n b a` -> `nba`; a and i at the end may be words."""
    return _APART.sub(_joined, text)


def _joined(match: re.Match) -> str:
    letters = match[0].split(" ")
    following = match.string[match.end() : match.end() + 3]
    kept: list[str] = []
    if letters[-1] == "x" and len(letters) > 3 and following[1:2].isdigit():  # the times of an x8
        kept.append(letters.pop())
    # Of three, the last is an article or a pronoun only behind what two letters name.
    named = len(letters) != 3 or "".join(letters[:2]) in _TWO_LETTERS
    while named and letters != ["u", "s", "a"] and letters and _stands_alone(letters[-1], following):
        kept.append(letters.pop())
        following = " ??"
    name, numbered = "".join(letters), following[1:2].isdigit()
    if letters[:-1] in (["a"], ["i"]) and not (
        numbered or name in _WITH_I or _AND_LETTER.match(match.string, match.end())
    ):
        return match[0]  # the first is a word, the second perhaps a mark at school
    if len(letters) < 2 or not (numbered or name in _WITH_I or _CONSONANT.search(name)):
        return match[0]
    return " ".join([name, *reversed(kept)])


def _stands_alone(letter: str, following: str) -> bool:
    """An article or pronoun before a word."""
    word_follows = following[1:2].isalpha() or following == " ??"
    return letter in "ai" and word_follows
