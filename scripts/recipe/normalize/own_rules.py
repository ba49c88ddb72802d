"""A user's own rules: spellings that count as one, and fillers that do not count.

Both act on what a mode makes of a text, and are themselves written as that mode writes them. A file of equivalent
spellings has a line for each form, in the manner of NIST's GLM: `FORM = SPELLING`, and more spellings behind further
`=`. docs/normalization.md says what they mean.
"""

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from recipe.files import RecipeError, read_lines
from recipe.normalize.phrases import Phrase, Phrases
from recipe.normalize.steps import Note, Step, take

log = logging.getLogger(__name__)

Work = Callable[[str], str]  # from a text to the text normalized
_MAX_PASSES = 8  # one to change the line, one to see that nothing changes; more where rules act on what others made
_COMMENT = re.compile(r";;.*|^\s*#.*|\s#(?:\s.*)?$")  # but C# is a word, and #5 a number
_SHOWN = 60  # characters of a text in an error


class _Line(NamedTuple):
    """A line of a file of equivalent spellings; the first one is the form that all take."""

    number: int
    spellings: list[str]


class OwnRules:
    """The rules of a user for texts of one mode; without any they are false, and change nothing.

    `equivalent` is the path of a file of equivalent spellings, `fillers` are words or phrases to leave out. `work` is
    the mode's normalizer, which writes both, `mode` its name. `again`: whether it changes nothing in what it made; then
    it has its say about what the rules made, such as numbers that a filler held apart.

    RecipeError names the line of the file that cannot be read, or that gives a spelling another form than a line
    before it. What the mode makes nothing of is logged.
    """

    def __init__(
        self, mode: str, work: Work, again: bool, equivalent: str | os.PathLike | None, fillers: Sequence[str]
    ):
        self._again = again
        self._name = " and ".join([*([os.fspath(equivalent)] if equivalent else []), *(["fillers"] if fillers else [])])
        forms = _forms(equivalent, mode, work) if equivalent else {}
        spellings = Phrases(forms)
        # A filler that has another form by the file is met in that form.
        left_out = (_phrase(spellings.replace(work(filler))) for filler in fillers)
        self._steps: list[Step] = []
        if forms:
            self._steps.append(("equivalent", spellings.replace))
        if fillers := {phrase: () for phrase in left_out if phrase}:
            self._steps.append(("fillers", Phrases(fillers).replace))

    def __bool__(self) -> bool:
        return bool(self._steps)

    def after(self, work: Work, note: Note | None = None) -> Work:
        """The mode's normalizer `work` and then these rules, until nothing changes any more, as one function; `note` is
        told what each rule did. The function raises ValueError where there is no end of changes."""

        def normalized(text: str) -> str:
            before = work(text)
            text = take(self._steps, before, note)
            for _ in range(_MAX_PASSES):
                if text == before:
                    return text
                before, text = text, take(self._steps, work(text) if self._again else text, note)
            raise ValueError(f"the rules of {self._name} change it without end, now to {text[:_SHOWN]!r}")

        return normalized


def _phrase(text: str) -> Phrase:
    return tuple(text.split())


def _forms(path: str | os.PathLike, mode: str, work: Work) -> dict[Phrase, Phrase]:
    """The form of each spelling in a file, forms too, which are their own; all as the mode writes them."""
    forms: dict[Phrase, Phrase] = {}
    origin: dict[Phrase, tuple[int, str]] = {}  # line and text where a spelling was met first
    for line in _read(path):
        where = f"{path}:{line.number}"
        form = _phrase(_written(line.spellings[0], work, where))
        if not form:
            log.warning("%s: %r is nothing in %s mode, and so are its spellings", where, line.spellings[0], mode)
        for spelling in line.spellings:
            phrase = _phrase(_written(spelling, work, where))
            if not phrase:
                if form:
                    log.warning("%s: %r is nothing in %s mode, and never met", where, spelling, mode)
            elif forms.setdefault(phrase, form) != form:
                number, first = origin[phrase]
                raise RecipeError(
                    f"{where}: {spelling!r} has the form {' '.join(form)!r} here, and by line {number} ({first!r}) the "
                    f"form {' '.join(forms[phrase])!r} (in {mode} mode); a spelling has one form: put all spellings of "
                    "a form on one line, the form first"
                )
            origin.setdefault(phrase, (line.number, spelling))
    return forms


def _written(spelling: str, work: Work, where: str) -> str:
    try:
        return work(spelling)
    except ValueError as error:
        raise RecipeError(f"{where}: {spelling[:_SHOWN]!r} cannot be normalized ({error})") from error


def _read(path: str | os.PathLike) -> Iterator[_Line]:
    for number, text in read_lines(path):
        content = _COMMENT.sub("", text).strip()
        if not content:
            continue
        if "=>" in content:
            raise RecipeError(
                f"{path}:{number}: rules with => and a context are not known; write FORM = SPELLING, as in going to = "
                "gonna"
            )
        spellings = [spelling.strip() for spelling in content.split("=")]
        if len(spellings) < 2 or not all(spellings):
            raise RecipeError(
                f"{path}:{number}: {content[:_SHOWN]!r}, expected FORM = SPELLING, and perhaps = further spellings"
            )
        yield _Line(number, spellings)
