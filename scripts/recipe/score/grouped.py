"""Errors by group: from the aligned utterances of a score and what other files say of them to a table, in step.

Two passes over utterances.jsonl: the first finds the words, speakers and groups with the most errors, the second counts
all that is asked. Memory grows with the number of different words and speakers, not with that of utterances.
"""

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from recipe.data import manifest
from recipe.files import RecipeError, read_json_lines, read_lines, write_lines
from recipe.score import kinds
from recipe.score.annotations import duration_name
from recipe.score.costs import Cost, GroupSums, Whole, cost
from recipe.score.hotwords import OTHER_KEYS
from recipe.score.in_step import InStep
from recipe.text import tables
from recipe.text.prompt import split_hotwords

log = logging.getLogger(__name__)

# Names of these are the user's and the texts' own, and there may be any number.
OPEN_KINDS = ("word", "speaker", "group", "language")
MOST = 200  # of an open kind, those with the most errors
LEVELS = (-45.0, -35.0, -25.0, -15.0)  # dB of full scale, RMS
NOISES = (10.0, 20.0, 30.0, 40.0)  # dB of speech over noise, see audio.noise.speech_to_noise
HEADER = (
    "kind\tname\tutterances\ttokens\terrors\trate\ttoken_share\terror_share\texcess_points\tlow\thigh\tall_points\t"
    "examples"
)
Group = tuple[str, str]  # kind, name


@dataclass(frozen=True)
class GroupingFiles:
    """What is read: utterances.jsonl of compute_wer.py, the manifest of its test set, sound.tsv of fbank_stats.py and
    the normalized hotwords (a Kaldi table; `*` for keys that it does not list), where there are any."""

    utterances: str
    manifest: str
    sound: str | None = None
    hotwords: str | None = None


class Facts(NamedTuple):
    """What is known of an utterance beside its alignment: transcript as written, seconds, level and speech over noise
    in dB."""

    written: str
    seconds: float
    level: float | None
    noise: float | None


class AlignedErrors(NamedTuple):
    """Reference tokens of an alignment, and how many errors each has: its own, and insertions behind it (those before
    the first token are the first one's). `inserted` are the tokens of the insertions; `errors` counts all."""

    tokens: list[str]
    charged: list[int]
    wrong: list[bool]
    inserted: list[str]
    errors: int


def of_alignment(alignment: Sequence[Sequence[str]]) -> AlignedErrors:
    """The errors of an alignment of (operation, reference token, hypothesis token), operations as C, S, D, I."""
    tokens, charged, wrong, inserted = [], [], [], []
    early = 0
    for operation, ref, hyp in alignment:
        if operation == "I":
            inserted.append(hyp)
            if tokens:
                charged[-1] += 1
            else:
                early += 1
        else:
            tokens.append(ref)
            wrong.append(operation != "C")
            charged.append(int(operation != "C"))
    if tokens:
        charged[0] += early
    return AlignedErrors(tokens, charged, wrong, inserted, sum(wrong) + len(inserted))


def _bounds(value: float | None, ends: Sequence[float]) -> str | None:
    """The name of the class of a value between `ends`."""
    if value is None or not math.isfinite(value):
        return None
    place = sum(value >= end for end in ends)
    if place == 0:
        return f"under {ends[0]:g} dB"
    return f"{ends[-1]:g} dB and more" if place == len(ends) else f"{ends[place - 1]:g} to {ends[place]:g} dB"


def utterance_groups(row: Mapping[str, Any], found: AlignedErrors, facts: Facts) -> Iterator[Group]:
    """The groups that the whole utterance belongs to; of what is not known, none."""
    for name in ("speaker", "group", "language"):
        if row.get(name) is not None:
            yield name, row[name]
    yield "duration", duration_name(facts.seconds)
    for kind, value, ends in (("level", facts.level, LEVELS), ("noise", facts.noise, NOISES)):
        if (name := _bounds(value, ends)) is not None:
            yield kind, name
    yield "scripts", "several in an utterance" if kinds.switches(found.tokens) else "one in an utterance"


def token_groups(
    row: Mapping[str, Any], found: AlignedErrors, facts: Facts, hotwords: Sequence[str]
) -> Iterator[tuple[Group, tuple[int, int]]]:
    """Groups of single tokens with (tokens, errors) of each in the utterance."""
    places = {
        ("entity", "numbers"): kinds.numbers(found.tokens),
        ("entity", "names"): kinds.names(found.tokens, facts.written, row.get("language")),
        ("entity", "hotwords"): kinds.hotwords(found.tokens, hotwords),
    }
    if at := kinds.switches(found.tokens):
        near = kinds.beside(found.tokens, at)
        places["switch", "near a switch of scripts"] = near
        places["switch", "elsewhere in such utterances"] = set(range(len(found.tokens))) - near
    for group, members in places.items():
        if members:
            yield group, (len(members), sum(found.charged[place] for place in members))


def words(found: AlignedErrors) -> Iterator[tuple[Group, tuple[int, int]]]:
    """Single words with (occurrences, errors): a substitution or deletion is the reference's, an insertion its own."""
    said = Counter(found.tokens)
    wrong = Counter(token for token, bad in zip(found.tokens, found.wrong, strict=True) if bad)
    wrong.update(found.inserted)
    for token in said.keys() | wrong.keys():
        yield ("word", token), (said[token], wrong[token])


def _told(files: GroupingFiles) -> tuple[InStep, InStep]:
    """The manifest's utterances and the sound of those that were measured, by key."""
    utterances = InStep((one.key, one) for one in manifest.read(files.manifest))
    return utterances, InStep(_sound_rows(files.sound) if files.sound else ())


def _sound_rows(path: str) -> Iterator[tuple[str, tuple[float | None, float | None]]]:
    """Level and speech over noise, in dB, by key. RecipeError names a line of another form."""
    for number, line in read_lines(path):
        if number == 1:
            continue
        try:
            key, level, noise = line.split("\t")
            yield key, (float(level) if level else None, float(noise) if noise else None)
        except ValueError:
            raise RecipeError(
                f"{path}:{number}: expected key, level and speech over noise, found {line!r}; run fbank_stats.py again"
            ) from None


def _facts(key: str, utterances: InStep, sounds: InStep, path: str) -> Facts:
    utterance = utterances.take(key)
    if utterance is None:
        raise RecipeError(f"{path}: has no key {key!r}, which was scored; score its own set")
    return Facts(utterance.text, utterance.duration, *(sounds.take(key) or (None, None)))


def most_wrong(path: str) -> set[Group]:
    """Of open kinds, the groups with the most errors: words, speakers, groups and languages."""
    errors: dict[str, Counter[str]] = {kind: Counter() for kind in OPEN_KINDS}
    for _, row in read_json_lines(path):
        found = of_alignment(row["alignment"])
        for (_, token), (_, wrong) in words(found):
            if wrong:
                errors["word"][token] += wrong
        for kind in ("speaker", "group", "language"):
            if row.get(kind) is not None:
                errors[kind][row[kind]] += found.errors
    for kind, counts in errors.items():
        if len(counts) > MOST:
            log.info("%d of kind %s have errors; the %d with the most are listed", len(counts), kind, MOST)
    ranked = {kind: sorted(counts, key=lambda name, c=counts: (-c[name], name)) for kind, counts in errors.items()}
    return {(kind, name) for kind, order in ranked.items() for name in order[:MOST]}


def group_errors(files: GroupingFiles) -> list[Cost]:
    """What each group costs, the most excess first. RecipeError where the files are of different sets."""
    listed = most_wrong(files.utterances)
    utterances, sounds = _told(files)
    expected = tables.read_map(files.hotwords) if files.hotwords else {}
    sums: dict[Group, GroupSums] = {}
    wholes: dict[str, Whole] = {}

    def add(key: str, group: Group, own: tuple[int, int], all_of_it: tuple[int, int]) -> None:
        if group[0] not in OPEN_KINDS or group in listed:
            sums.setdefault(group, GroupSums()).add(key, own, all_of_it)

    for _, row in read_json_lines(files.utterances):
        key = row["key"]
        facts = _facts(key, utterances, sounds, files.manifest)
        found = of_alignment(row["alignment"])
        counts = (len(found.tokens), found.errors)
        hotwords = split_hotwords(expected.get(key, expected.get(OTHER_KEYS, "")))
        of_whole = list(utterance_groups(row, found, facts))
        for kind in {"word", "entity", "switch", *(kind for kind, _ in of_whole)}:
            wholes.setdefault(kind, Whole()).add(*counts)
        for group in of_whole:
            add(key, group, counts, counts)
        for group, own in (*token_groups(row, found, facts, hotwords), *words(found)):
            add(key, group, own, counts)
    found_costs = [cost(*group, own, wholes[group[0]]) for group, own in sums.items()]
    return sorted(found_costs, key=_order)


def _order(one: Cost) -> tuple[float, float, str, str]:
    """The most excess first; what has no rest to compare with last."""
    return -(one.excess if one.excess is not None else -math.inf), -one.all_points, one.kind, one.name


def write_table(path: str, found: Sequence[Cost]) -> None:
    """Write costs as a table with HEADER; shares and rates as fractions, examples separated by spaces."""
    write_lines(path, [HEADER, *("\t".join(_cells(one)) for one in found)])


def _cells(one: Cost) -> list[str]:
    shown: Callable[[float | None, int], str] = lambda value, digits: "" if value is None else f"{value:.{digits}f}"  # noqa: E731
    return [
        one.kind, one.name, str(one.utterances), str(one.tokens), str(one.errors), shown(one.rate, 4),
        shown(one.token_share, 4), shown(one.error_share, 4), shown(one.excess, 3), shown(one.low, 3),
        shown(one.high, 3), shown(one.all_points, 3), " ".join(one.examples),
    ]  # fmt: skip
