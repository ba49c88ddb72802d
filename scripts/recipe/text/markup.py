"""What in a transcript is not said: special tokens, marks of other tools, HTML entities, invisible characters.

A mark is known by its form. Angle brackets count around one identifier (`<unk>`, `</b>`, `<|zh|>`); other brackets and
asterisks only around words of `events` (`[noise]`, `（笑声）`, `*clears throat*`), so that `f(x)`, `(2024)`, `[1]` and
`a < b > c` are ordinary content.

Of the characters that show nothing, those are kept that make a word or a sign what it is: zero width joiners inside
words of scripts that join their letters and in emoji, the Mongolian vowel separator in words, variation selectors
after what they vary, the tags of a flag, and the signs that enclose digits (Unicode's Prepended_Concatenation_Mark).
"""

import html
import itertools
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from html.entities import html5
from typing import NamedTuple

from recipe.text.events import remark

SPECIAL = "special-token"
MARKUP = "markup"
ENTITY = "html-entity"
INVISIBLE = "invisible"
KINDS = (SPECIAL, MARKUP, ENTITY, INVISIBLE)
_HIDING = (ENTITY, INVISIBLE)  # what may hide the others

# --- Forms ----------------------------------------------------------------------------------------------------------

_PAIRS = ("()", "（）", "[]", "［］", "【】", "〔〕", "{}", "｛｝", "<>", "＜＞", "**")
_BRACKETS = "".join(_PAIRS)
_OPEN = "".join(pair[0] for pair in _PAIRS)
_CLOSE = "".join(pair[1] for pair in _PAIRS)
# Each is looked for behind its first character, so that a text is searched for a few characters alone.
_TAG = (
    r"(?<=<)(?:"
    r"\|[^<>|]{0,80}\|>"  # <|zh|>, <|0.00|>
    r"|/?[A-Za-z_][\w.:-]*(?:\s+[\w:-]+=(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>]+))*\s*/?>"  # <unk>, </b>, <break x="1"/>
    r"|!--.*?-->"
    r"|[-%#$&*+_~@=^]>"  # AISHELL-4's <%>
    r"|\d+(?::\d+)*[.:]\d+>"  # <00:01.5>
    r")"
    r"|(?<=\[)[-%#$&*+_~@=^/]{1,2}\]"  # MagicData's [+], CHAT's [//]
    r"|(?<=\{)\\[^{}]*\}"  # {\an8}, of subtitles
    r"|(?<=\()\(\s*\)\)"
    r"|(?<=[♪♫🎵🎶])"
)
_INSIDE = rf"(?P<inside>[^{re.escape(_BRACKETS)}\n]{{1,60}})"
_BRACKETED = rf"(?<=[{re.escape(_OPEN)}])[{re.escape(_OPEN)}]?{_INSIDE}[{re.escape(_CLOSE)}]{{1,2}}"
_PREFIXED = (
    r"(?<=[%!/&+])(?<!\S.)=?(?P<word>[A-Za-z][A-Za-z_-]*)\+?(?!\S)"  # %hesitation, !SIL, /sil, &=laughs, +noise+
)
_MARK = rf"[{re.escape(_OPEN)}♪♫🎵🎶%!/&+](?:{_TAG}|{_BRACKETED}|{_PREFIXED})"
_ENTITY = r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"

# --- Characters that show nothing -----------------------------------------------------------------------------------

# Unicode's Cf, Zl and Zp but for what is kept everywhere (below) or by its neighbours; and the letters and marks of
# Default_Ignorable_Code_Point that are blanks: combining grapheme joiner and Hangul fillers.
_BLANK = (
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
    "\u034f\u115f\u1160\u3164\uffa0"
)
# Never invisible: signs that are drawn around or over the digits after them, and layout of hieroglyphs.
_SHOWN = "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001343f"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"  # marks (Mn): they choose the form of the character before them
_JOINERS = "\u200c\u200d\u180e"
# Scripts whose words have joiners inside: Arabic to N'Ko, those of India to Myanmar, Khmer, Mongolian, Limbu to Lepcha,
# the Arabic forms, and those of the second plane.
_JOINING = (
    "\u0600-\u08ff\u0900-\u109f\u1780-\u18af\u1900-\u1c7f\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00011fff"
)
_FLAG = "\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"  # black flag, region's letters as tags, end
_STRAY_SELECTOR = rf"(?:(?<=[\sA-Za-z])|\A)[{_SELECTORS}]"
_HIDDEN = rf"{_FLAG}|[{_BLANK}]|{_STRAY_SELECTOR}"
_LINE_ENDS = "\u2028\u2029"
_BOUND = re.compile(rf"[{_JOINING}]")


def _joins(text: str, at: int) -> bool:
    """Whether the joiner at `at` belongs to a word or an emoji."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if _BOUND.match(before):
        # Behind a virama it may end a word (Bengali khanda ta).
        virama = unicodedata.combining(before) == 9
        return virama or bool(_BOUND.match(after) and unicodedata.category(after)[0] in "LM")
    pictured = before and (unicodedata.category(before) in ("So", "Sk") or before == "\ufe0f")
    return bool(text[at] == "\u200d" and pictured and after and unicodedata.category(after) == "So")


# --- Finding and removing -------------------------------------------------------------------------------------------


class _Span(NamedTuple):
    """A part of a text that is not said, and what of it stays when it is removed."""

    start: int
    end: int
    kind: str
    kept: str = ""


class SpecialTokens:
    """The special tokens of a tokenizer, in texts where they are none."""

    def __init__(self, tokens: Iterable[str]):
        # Blank ones and single characters are ordinary text as well.
        self.tokens = tuple(sorted({token for token in tokens if len(token) > 1 and token.strip()}, key=_longest_first))
        self.pattern = "|".join(map(re.escape, self.tokens)) or "(?!)"
        self._search = re.compile(self.pattern).search
        self._cuts = re.compile(f"(?=(?:{self.pattern}))")

    def first(self, text: str) -> str | None:
        """The first special token in a text."""
        found = self._search(text)
        return found[0] if found else None

    def pieces(self, text: str) -> list[str]:
        """A text in pieces that hold no special token, though the text may: each is cut behind its first character.
        Tokenized one by one they are plain text, whatever the kind of tokenizer (some find their special tokens in
        plain text even when told not to)."""
        if self._search(text) is None:
            return [text]
        ends = [0, *(cut.start() + 1 for cut in self._cuts.finditer(text)), len(text)]
        return [text[start:end] for start, end in itertools.pairwise(ends)]


def _longest_first(token: str) -> tuple[int, str]:
    return -len(token), token


class Content:
    """Finds what in a transcript is not said, of a tokenizer with these special tokens. It may be sent to another
    process. Texts without anything of the kind, nearly all, cost one search for a set of characters."""

    def __init__(self, special_tokens: tuple[str, ...] = ()):
        self.special_tokens = tuple(special_tokens)
        special = SpecialTokens(self.special_tokens)
        firsts = "".join(sorted({token[0] for token in special.tokens}))
        # Two, because a set with characters beyond ASCII takes a search twice as long.
        suspects = f"{re.escape(_OPEN + firsts)}%!/&+"
        self._in_ascii = re.compile(f"[{suspects}]").search
        self._in_any = re.compile(f"[{suspects}♪♫\U0001f300-\U0001f4ff{_BLANK}{_SELECTORS}]").search
        self._forms = {
            SPECIAL: re.compile(special.pattern).finditer,
            MARKUP: re.compile(_MARK, re.DOTALL).finditer,
            ENTITY: re.compile(_ENTITY).finditer,
            INVISIBLE: re.compile(_HIDDEN).finditer,
        }
        self._special_at = re.compile(special.pattern).match

    def __reduce__(self):
        return Content, (self.special_tokens,)

    def findings(self, text: str) -> list[tuple[str, str]]:
        """(kind, what was found) of everything in a text that is not said, mostly nothing; characters as U+200B. What
        HTML entities and invisible characters hide is found as well."""
        if not self._is_suspicious(text):
            return []
        found: dict[tuple[str, str], None] = {}
        before = None
        while before != text:
            for kind in KINDS:
                for span in self._spans(text, kind):
                    found[kind, _shown(text, span)] = None
            before, text = text, self._once(text, _HIDING) if found else text
        return list(found)

    def removed(self, text: str, kinds: Iterable[str]) -> str:
        """A text without what of `kinds` is in it. Line and paragraph separators and marks leave a single space, none
        between characters of scripts without spaces; entities leave the character that they stand for, and marks
        around a word (`[laughter-yeah]`) the word. It may be empty."""
        if not self._is_suspicious(text):
            return text
        kinds = [kind for kind in (INVISIBLE, ENTITY, SPECIAL, MARKUP) if kind in set(kinds)]
        # What is removed may uncover more: entities and invisible characters hide marks.
        while (shorter := self._once(text, kinds)) != text:
            text = shorter
        return text

    def _is_suspicious(self, text: str) -> bool:
        return (self._in_ascii if text.isascii() else self._in_any)(text) is not None

    def _once(self, text: str, kinds: Iterable[str]) -> str:
        for kind in kinds:
            if spans := list(self._spans(text, kind)):
                text = _without(text, spans)
        return text

    def _spans(self, text: str, kind: str) -> Iterator[_Span]:
        for match in self._forms[kind](text):
            if kind == INVISIBLE:
                flag = len(match[0]) > 1
                if not flag and (match[0] not in _JOINERS or not _joins(text, match.start())):
                    yield _Span(*match.span(), kind)
            elif kind == ENTITY:
                if match[0][1] == "#" or match[0][1:] in html5:
                    yield _Span(*match.span(), kind, html.unescape(match[0]))
            elif kind == SPECIAL:
                yield _Span(*match.span(), kind)
            elif self._special_at(text, match.start()) is None and (kept := _said_in(match)) is not None:
                yield _Span(*match.span(), kind, kept)


def _said_in(match: re.Match) -> str | None:
    """What was said inside a mark (mostly nothing, ""), or None if it is none."""
    if match["word"]:
        return remark(match["word"], match[0][0])
    inside = match["inside"]
    if inside is None:
        return ""
    opening, closing = match[0][0], match[0][-1]
    if opening + closing not in _PAIRS or (opening == "*" and inside != inside.strip()):
        return None
    return remark(inside, opening)


def _shown(text: str, span: _Span) -> str:
    found = text[span.start : span.end]
    return f"U+{ord(found):04X}" if span.kind == INVISIBLE else found


_GAP = "\ufdd0"  # where a mark was; no character of any text
_GAPS = re.compile(rf"\s*(?:{_GAP}\s*)+")
# Scripts without spaces between words, and their punctuation.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uff60\U00020000-\U0003ffff]"
)
_CLOSING = frozenset(".,;:!?…)]}、。，；：！？）】」』》")


def _without(text: str, spans: Iterable[_Span]) -> str:
    parts, done = [], 0
    for span in spans:
        parts += [text[done : span.start], _left(text, span)]
        done = span.end
    return _GAPS.sub(_tidy, "".join([*parts, text[done:]]))


def _left(text: str, span: _Span) -> str:
    """What stands where something was removed: a gap, with the word inside a mark; an entity's character; nothing for
    an invisible character inside or beside a word."""
    if span.kind == MARKUP or not (span.kept or span.kind == INVISIBLE):
        return f"{_GAP}{span.kept}{_GAP}"
    if span.kept or text[span.start] in _LINE_ENDS:
        return span.kept or _GAP
    before, after = text[span.start - 1 : span.start], text[span.end : span.end + 1]
    return "" if before.strip() or after.strip() else _GAP


def _tidy(gap: re.Match) -> str:
    """The white space that a gap leaves."""
    before, after = gap.string[gap.start() - 1 : gap.start()], gap.string[gap.end() : gap.end() + 1]
    if not before or not after or after in _CLOSING:
        return ""
    tight = not gap[0].strip(_GAP)
    return "" if tight and _UNSPACED.match(before) and _UNSPACED.match(after) else " "


def special_tokens(tokenizer_file: str | os.PathLike) -> tuple[str, ...]:
    """The special tokens in a tokenizer.json: those that it calls special, and others in angle brackets (`<think>`).
    OSError, ValueError, TypeError or KeyError if the file is not one."""
    with open(tokenizer_file, encoding="utf-8") as file:
        return special_among((token["content"], token["special"]) for token in json.load(file)["added_tokens"])


def special_among(added: Iterable[tuple[str, bool]]) -> tuple[str, ...]:
    """Of the tokens that were added to a vocabulary, with whether they are called special, those that are no words."""
    return tuple(token for token, special in added if special or (token[:1] == "<" and token[-1:] == ">"))
