"""Two transcriptions of recordings to a manifest of what is kept of them, and lists of what is kept and left out."""

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from recipe.data.checked import REJECTS_HEADER, one_line
from recipe.data.join import Entry
from recipe.decode.endings import ERROR
from recipe.decode.hypotheses import Hypothesis
from recipe.decode.listed import RecordingList
from recipe.files import RecipeError, json_line, open_atomic, read_json_lines, read_lines, sha256, write_json
from recipe.pseudo.choice import Requirements, Verdict, judge
from recipe.pseudo.parts import TranscribedPart, of_hypothesis

logger = logging.getLogger(__name__)

STAGE = "pseudo"
KEPT_HEADER = "key\tsource\tstart\tend\tseconds\tconfidence\tdisagreement\tmodel\tmodel_sha256\tsecond\tsecond_sha256"


@dataclass(frozen=True)
class Opinion:
    """What a model made of the recordings: its name as it is to be shown, the SHA-256 of its weights, and the details
    that decode.py wrote, part by part."""

    name: str
    sha256: str
    details: Sequence[str]

    def hypotheses(self) -> Iterator[tuple[str, Hypothesis]]:
        """(file and line, hypothesis), in the order of the recordings."""
        for path in self.details:
            for number, record in read_json_lines(path):
                yield f"{path}:{number}", Hypothesis.from_json(record)


@dataclass(frozen=True)
class SelectionFiles:
    """What is written: the manifest in the published format, where each of its lines comes from, what is left out and
    why, and the counts."""

    jsonl: str
    kept: str
    rejects: str
    counts: str


@dataclass
class SelectionCounts:
    """Utterances and seconds, those kept and by the reason those left out; `not_decoded` counts what of the input was
    no recording to transcribe."""

    recordings: int = 0
    not_decoded: int = 0
    utterances: int = 0
    seconds: float = 0.0
    kept: int = 0
    kept_seconds: float = 0.0
    without_confidence: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, part: TranscribedPart, judged: Verdict) -> None:
        """Count an utterance."""
        self.utterances += 1
        self.seconds += part.seconds
        self.without_confidence += bool(part.text) and part.confidence is None
        if judged.reason is None:
            self.kept += 1
            self.kept_seconds += part.seconds
        else:
            self.reasons[judged.reason] += 1

    def as_dict(self) -> dict[str, Any]:
        """As selection.json has it; utterances are those kept and those left out."""
        return {
            "recordings": self.recordings,
            "not_decoded": self.not_decoded,
            "utterances": self.utterances,
            "seconds": round(self.seconds, 3),
            "kept": self.kept,
            "kept_seconds": round(self.kept_seconds, 3),
            "left_out": dict(sorted(self.reasons.items())),
            "without_confidence": self.without_confidence,
        }

    def __str__(self) -> str:
        told = ", ".join(f"{reason} {number}" for reason, number in self.reasons.most_common())
        return (
            f"{self.utterances} utterances ({self.seconds / 3600:.2f} h) of {self.recordings} recordings: {self.kept} "
            f"kept ({self.kept_seconds / 3600:.2f} h), {self.reasons.total()} left out{f' ({told})' if told else ''}; "
            f"{self.not_decoded} not decoded"
        )


def weights_hash(model_dir: str | os.PathLike) -> str:
    """SHA-256 of a model's weights: of its one file, or of the hashes of several by their names. RecipeError if there
    are none."""
    files = sorted(Path(model_dir).glob("*.safetensors"))
    if not files:
        raise RecipeError(f"{model_dir}: no *.safetensors; name a model directory, as train.py writes it")
    if len(files) == 1:
        return sha256(files[0])
    return hashlib.sha256("".join(f"{file.name} {sha256(file)}\n" for file in files).encode()).hexdigest()


def select(
    entries: Iterable[Entry],
    listed: RecordingList,
    first: Opinion,
    second: Opinion,
    not_decoded: Sequence[str],
    wanted: Requirements,
    files: SelectionFiles,
) -> SelectionCounts:
    """Write what is kept of the `first` opinion of `entries` (those that were decoded, in their order). `not_decoded`
    are the rejects of its decoding. RecipeError if the opinions are of other recordings, or if nothing is kept."""
    tally = SelectionCounts()
    with ExitStack() as stack:
        jsonl, kept, rejects = (stack.enter_context(open_atomic(f)) for f in (files.jsonl, files.kept, files.rejects))
        kept.write(KEPT_HEADER + "\n")
        rejects.write(REJECTS_HEADER + "\n")
        unread = 0
        for entry, one, other in _matched(entries, first, second):
            tally.recordings += 1
            unread += one.ended == ERROR
            source = listed.source(entry)
            for part, opposed in _parts(entry, one, other):
                judged = judge(part, opposed, wanted)
                tally.add(part, judged)
                if judged.reason is None:
                    jsonl.write(json_line(part.utterance(entry, source).to_json()) + "\n")
                    kept.write(_kept_line(part, judged, source, first, second))
                else:
                    rejects.write("\t".join([one_line(part.key), STAGE, judged.reason, one_line(judged.detail)]) + "\n")
        for line in _left_out(not_decoded, unread):
            tally.not_decoded += 1
            rejects.write(line + "\n")
        _tell(tally)
    opinions = {name: {"model": one.name, "sha256": one.sha256} for name, one in (("first", first), ("second", second))}
    write_json(files.counts, tally.as_dict() | opinions)
    return tally


def _tell(tally: SelectionCounts) -> None:
    """Log the counts. RecipeError if nothing is kept."""
    logger.info("%s", tally)
    if tally.without_confidence:
        logger.warning(
            "%d of %d utterances have no confidence (their engine tells none): of these, agreement alone decides",
            tally.without_confidence,
            tally.utterances,
        )
    if not tally.kept:
        raise RecipeError(f"nothing is kept: {tally}; lower min_confidence, or raise max_disagreement")


def _matched(
    entries: Iterable[Entry], first: Opinion, second: Opinion
) -> Iterator[tuple[Entry, Hypothesis, Hypothesis]]:
    """Entries with both opinions. RecipeError where one is of other recordings."""
    ones, others, nothing = first.hypotheses(), second.hypotheses(), ("the end", None)
    for entry in entries:
        found = [next(opinion, nothing) for opinion in (ones, others)]
        for where, hypothesis in found:
            if hypothesis is None or hypothesis.key != entry.key:
                heard = "nothing" if hypothesis is None else repr(hypothesis.key)
                raise RecipeError(f"{where}: expected what was decoded of {entry.key!r}, found {heard}; decode again")
        yield entry, found[0][1], found[1][1]
    for where, hypothesis in chain(ones, others):
        raise RecipeError(f"{where}: {hypothesis.key!r} is not among the recordings; decode again")


def _parts(entry: Entry, one: Hypothesis, other: Hypothesis) -> list[tuple[TranscribedPart, str]]:
    """The parts of the first opinion, each with the text that the second has for it: none where it could not read the
    recording that the first could. RecipeError if the two were cut in different ways."""
    parts = of_hypothesis(entry, one)
    texts = {part.key: part.text for part in of_hypothesis(entry, other)}
    if ERROR not in (one.ended, other.ended) and texts.keys() != {part.key for part in parts}:
        raise RecipeError(
            f"{entry.key}: cut into {len(parts)} and into {len(texts)} pieces, not at the same places; decode both "
            "with the same max_seconds"
        )
    return [(part, texts.get(part.key, "")) for part in parts]


def _kept_line(part: TranscribedPart, judged: Verdict, source: str, first: Opinion, second: Opinion) -> str:
    end = "" if part.end is None else repr(part.end)
    sure = "" if part.confidence is None else f"{part.confidence:.2f}"
    facts = [part.key, one_line(source), repr(part.start), end, f"{part.seconds:.3f}", sure]
    facts += [f"{judged.disagreement:.3f}", first.name, first.sha256, second.name, second.sha256]
    return "\t".join(facts) + "\n"


def _left_out(paths: Sequence[str], unread: int) -> Iterator[str]:
    """Lines of decoding's rejects that are of no hypothesis: those behind the `unread` ones, over all parts."""
    lines = chain.from_iterable((line for number, line in read_lines(path) if number > 1) for path in paths)
    return islice(lines, unread, None)
