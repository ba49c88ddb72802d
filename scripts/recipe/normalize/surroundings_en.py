"""What the words around an English number expect it to be: a time of day, a year, a count."""

import dataclasses
import re

from recipe.normalize.dates_en import MONTHS

_YEAR_BEFORE = re.compile(r"\b(?:in|year) $")
# A year is behind a day with its month.
_MONTH_BEFORE = re.compile(rf"\b(of )?(?:{MONTHS})\.? (?:the )?$")
_ORDINAL = re.compile(r"(?:[a-z]+[ -])?(?:first|second|third|[a-z]+th) ")
_CLOCK_AFTER = re.compile(r" ?[ap]\.? ?m\b| (?:in the (?:morning|afternoon|evening)|at night|tonight|sharp)\b")
_CLOCK_BEFORE = re.compile(r"\b(?:at|by|until|till|before|after|around|about|from|since) $")
_VAGUE_BEFORE = re.compile(r"\b(?:few|several|many|some|couple(?: of)?|how many) $")
_OF_TIME_BEFORE = re.compile(r"\b(?:per|each|split) $")
# Words whose number is a name of three digits or four, letters apart among them (l g a 1150).
_NAMED_BEFORE = re.compile(
    r"\b(?:flight|rooms?|routes?|highway|interstate|freeway|pages?|chapter|channel|apartment|suite|exit|bus|gate|number"
    r"|no\.?|box|section|hymn|psalm|form|model|boeing|airbus|unit|lot|building|article|area code|code|extension|locker"
    r"|seat|car) $"
    r"|\b(?:height|weight|speed|score|total|i ?q|cost|price|value|average|maximum|minimum|limit|distance|length) of $"
    r"|(?<![a-z'])[a-z] [a-z] $|\bflight [a-z] $"
)
_STREET = (
    "street|st|avenue|ave|road|rd|court|ct|drive|dr|lane|ln|boulevard|blvd|highway|hwy|expressway|expy|parkway|pkwy|place"
    "|terrace|circle"
)
_COUNT_AFTER = re.compile(
    r"[ -](?:(?:us|american|canadian|australian|hong kong|new zealand|singapore|united states) )?"
    r"(?:dollars?|bucks|euros?|pounds?|pence|cents?|yen|yuan|won|rupees?|rubles?|francs?|pesos?|percent|per cent"
    r"|degrees?"
    r"|(?:kilo|mega|giga|tera|milli|centi|deci|micro|nano)[ -]?[a-z]+"
    r"|met(?:er|re)s?|grams?|lit(?:er|re)s?|inch(?:es)?|foot|feet|yards?|miles?|acres?|tons?|tonnes?|ounces?|gallons?|pints?"
    r"|volts?|watts?|amps?|hertz|bytes?|horsepower|calories|decibels?|knots|square|cubic|hectares?"
    r"|km|kg|cm|mm|lbs?|mph|hp|bc|bce|ad|ce|b ?\.? ?c|a ?\.? ?d"
    r"|people|men|women|children|kids)(?![a-z])"
    r"|,? (?:[nsew]\.? )?(?:(?!(?:on|at|in|to|from|the|and|is|was|we|i|for|near|down|along|off)\b)[a-z]+\.? ){1,3}?"
    rf"(?:{_STREET})(?![a-z])"
)
# A noun in the plural is counted, but many a word that ends so is none.
_PLURAL_AFTER = re.compile(
    r" (?!(?:is|was|has|does|goes|this|its|his|hers|ours|yours|theirs|thanks|always|perhaps|sometimes|besides|unless"
    r"|plus|minus|times|equals|works|sounds|seems|looks|suits|fits|gets|comes|starts|begins|ends|leaves|departs|arrives|means|makes"
    r"|feels"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days|weekdays|weekends|mornings|afternoons|evenings|nights)\b)"
    r"[a-z]{2,}[^\W\dsui]s(?![a-z'])"
)
_RANGE = re.compile(r" (?:to|or) ")
_OVER = re.compile(r" over (?=\w)")
_PIXELS = re.compile(r" p(?![\w.']| m\b)")  # lines of a picture: seven twenty p
_BEHIND_HUNDRED = re.compile(r"hundred(?: and)?(?: [a-z]+){0,2} to $")


@dataclasses.dataclass
class Surroundings:
    """What the words around a number say of it. `at`: a time of 24 hours, too; `exclaimed`: more follows, and an `oh`
    before is no zero; `vague`: it is not exact (several hundred); `of_time`: a second is one of sixty (per second)."""

    at: bool
    clock: bool
    year: bool
    count: bool
    vague: bool
    exclaimed: bool
    of_time: bool


def around(match: re.Match, sequence: re.Pattern) -> Surroundings:
    """The context of a match of number words; `sequence` matches number words, for ranges (one fifty to two hundred
    dollars)."""
    text, end = match.string, match.end()
    before = text[max(0, match.start() - 24) : match.start()]
    if match[0].endswith(" a"):
        end -= 2
    clock = bool(_CLOCK_BEFORE.search(before) or _CLOCK_AFTER.match(text, end))
    counted = _counted(text, end, clock)
    if not counted and (word := _RANGE.match(text, end)) and (other := sequence.match(text, word.end())):
        counted = _counted(text, other.end(), clock)
    if not counted and (word := _OVER.match(text, end)):
        counted = bool(sequence.match(text, word.end()))
    counted = counted or bool(_PIXELS.match(text, end) or _BEHIND_HUNDRED.search(before))
    return Surroundings(
        at=before.endswith(" at ") or before == "at ",
        clock=clock,
        year=not clock and (bool(_YEAR_BEFORE.search(before)) or _behind_day(before, match[0])),
        count=counted or bool(_NAMED_BEFORE.search(before)),
        vague=bool(_VAGUE_BEFORE.search(before)),
        of_time=bool(_OF_TIME_BEFORE.search(before)),
        exclaimed=text[match.end() : match.end() + 1] == " " and not _CLOCK_AFTER.match(text, match.end()),
    )


def _behind_day(before: str, words: str) -> bool:
    month = _MONTH_BEFORE.search(before)
    return bool(month and (month[1] or _ORDINAL.match(words)))


def _counted(text: str, end: int, clock: bool) -> bool:
    return bool(_COUNT_AFTER.match(text, end) or (not clock and _PLURAL_AFTER.match(text, end)))
