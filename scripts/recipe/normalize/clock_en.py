"""Times of day in English: whole hours, am and pm, minutes past and to."""

import re

from recipe.normalize.numbers_en import DIGIT_WORDS

_O_CLOCK = re.compile(r"\bo ?' ?clock\b|\bo clock\b")
_WHOLE_HOUR = re.compile(r"(?<![\d.:/-])(\d{1,2})(?::00)? oclock\b")
_HOUR_WORDS = f"{DIGIT_WORDS}|ten|eleven|twelve"
# Ten to eleven is a range as well: only these say that it is a time of day.
_SPOKEN_TO = re.compile(
    rf"\b((?:at|it is|it was) (?:five|ten|twenty(?:[ -]five)?)) (?:to|till|until) (?={_HOUR_WORDS})"
    r"(?!\w+[ -](?:hundred|thousand|percent|\w+s\b))"
)
# Twenty is no hour of half a day.
_TWENTY_TO = re.compile(
    rf"\b(twenty(?:[ -]five)?) (?:to|till|until) (?=(?:{_HOUR_WORDS}) [ap]\.? ?m\b)"
    rf"|^(twenty(?:[ -]five)?) to (?=(?:{_HOUR_WORDS})[.?!]?$)"
)
# Hours as an army says them: oh six hundred.
_HUNDRED_HOURS = re.compile(
    rf"\b(?:(?<=\bat )(?:oh|o)|oh(?= \w+ hundred hours\b)|zero) ({DIGIT_WORDS}) hundred\b(?! and\b)"
)
_HOURS_OF_DIGITS = {word: str(value) for value, word in enumerate(DIGIT_WORDS.split("|"), 1)}
_HALF_DAY = re.compile(r"(?<![\d.:/$-])(\d{1,2})(?:([.:])(\d\d))? ?([ap])(?:\. ?m\b\.?| ?m\b(?!'))")
_LETTERS = re.compile(rf"\b({_HOUR_WORDS}|twenty|thirty|forty|fifty|\w+teen|clock|\d+) ([ap]) m\b")
_PAST = re.compile(
    r"\b(?:(half|(?:a )?quarter|(?<![\d.:/-])\d{1,2}(?: minutes?)?) past"
    r"|(?:a )?(quarter) after|(?<![\d.:/-])(\d{1,2}) minutes? after) "
    r"(\d{1,2})\b(?![.:/%]\d)"
)
_TO = re.compile(
    r"\b(?:(?:a )?(quarter) (?:to|till|until|before|of)"
    r"|(?<![\d.:/-])(\d{1,2})(?: minutes? (?:to|till|until|before)| till)) (\d{1,2})\b(?![.:/%]\d)"
)


_HOURS_MINUTES = re.compile(r"(?<![\w.:/$-])(\d{1,2}) ?h ?(\d{1,2}) ?m(?![a-z'])")
_UNIT = "year|month|week|day|hour|hr|minute|min|second|sec"
_AND = re.compile(rf"(?<=\d )((?:{_UNIT})s?) and (?=\d+(?:\.\d+)? (?:{_UNIT})s?\b)")
_H_AND_M, _AND_NUMBER = re.compile(r"h ?\d\d? ?m"), re.compile(r" and \d")
_PAST_OR_TO = re.compile(r"(?:quarter|half|\d|minutes?) (?:past|after|to|till|until|before|of) \d")
_M = re.compile(r"\d ?[ap]\.? ?m")


def before_numbers(text: str) -> str:
    """What must be read before number words are: the o of o'clock is no zero, and `p m` no letters."""
    if "clock" in text:
        text = _O_CLOCK.sub("oclock", text)
    if " to " in text or " till " in text or " until " in text:
        text = _SPOKEN_TO.sub(r"\1 minutes to ", text)
        text = _TWENTY_TO.sub(lambda match: f"{match[1] or match[2]} minutes to ", text)
    if " hundred" in text:
        text = _HUNDRED_HOURS.sub(lambda match: f"0{_HOURS_OF_DIGITS[match[1]]}00", text)
    return _LETTERS.sub(r"\1 \2m", text) if " m" in text else text


def times(text: str) -> str:
    """Times of day with digits, as `9:15` and `9:00 am`; durations without `and`."""
    if _H_AND_M.search(text):
        text = _HOURS_MINUTES.sub(r"\1 hours \2 minutes", text)
    if _AND_NUMBER.search(text):
        text = _AND.sub(r"\1 ", text)
    if "oclock" in text:
        text = _WHOLE_HOUR.sub(r"\1:00", text)
    if _PAST_OR_TO.search(text):
        text = _TO.sub(_to, _PAST.sub(_past, text))
    return _HALF_DAY.sub(_half_day, text) if _M.search(text) else text


def _minutes(spoken: str) -> int:
    return {"half": 30, "quarter": 15}.get(spoken.removeprefix("a ")) or int(spoken.split()[0])


def _past(match: re.Match) -> str:
    minutes, hour = _minutes(match[1] or match[2] or match[3]), int(match[4])
    return f"{hour}:{minutes:02d}" if 1 <= hour <= 24 and minutes < 60 else match[0]


def _to(match: re.Match) -> str:
    minutes, hour = _minutes(match[1] or match[2]), int(match[3])
    if not (1 <= hour <= 24 and 0 < minutes < 60):
        return match[0]
    return f"{(hour - 2) % 12 + 1}:{60 - minutes:02d}"


def _half_day(match: re.Match) -> str:
    hour, minutes = int(match[1]), match[3] or "00"
    if hour > 24 or int(minutes) > 59:
        return match[0]
    return f"{hour}:{minutes} {match[4]}m"
