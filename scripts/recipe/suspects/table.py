"""What the models of all folds said, of every utterance, and its score.

Folds are read as streams, a line of each of their files at a time. Of every utterance the features and the score are
kept in memory (some 100 bytes); texts lie on disk.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from recipe.data import manifest
from recipe.data.sorting import Spool
from recipe.decode.endings import NO_SPEECH, TEXT_ON_SILENCE
from recipe.files import RecipeError, read_json_lines
from recipe.normalize import normalizer
from recipe.suspects import classifier, evidence, speaking_rate
from recipe.suspects.by_line import ByLine
from recipe.suspects.folds import split_key
from recipe.suspects.judgement import Judgement
from recipe.suspects.sound import SoundEvidence
from recipe.suspects.speaking_rate import Spoken

LEAST_MADE = 10  # transcripts that are wrong by construction, for scores to be made
_SILENT = {NO_SPEECH, TEXT_ON_SILENCE}


@dataclass(frozen=True)
class FoldFiles:
    """What is known of a fold: its held-out manifest, what was decoded of it (text.jsonl), and the judgements."""

    manifest: str
    details: str
    judgements: str


class JudgedUtterance(NamedTuple):
    """An utterance as it is ranked. `text` and `heard` are transcript and hypothesis, normalized and without spaces."""

    set: str
    key: str
    place: int
    speaker: str | None
    language: str | None
    reference: str
    hypothesis: str
    text: str
    heard: str
    speech: bool
    source: str
    start: float
    end: float | None
    channel: int | None


class Scores(NamedTuple):
    """Scores of all utterances [utterances], NaN of those that were not judged, and of the made wrong transcripts
    [made]. Of all [utterances], with nothing said of what was not judged: whether the recording ends as loud as ones
    that were cut, by how many robust standard deviations the transcript is too long for it, and its share of samples at
    full scale."""

    all: np.ndarray
    made: np.ndarray
    cut: np.ndarray
    deviations: np.ndarray
    clipped: np.ndarray


class JudgedTable:
    """All utterances of the folds: their features in memory, the rest on disk."""

    def __init__(self, folds: Sequence[FoldFiles]):
        self._rows = Spool()
        self._features, self._made = array("d"), array("d")
        self._known, self._seconds = array("b"), array("d")
        self._sound = array("f")
        self._made_spoken: list[Spoken] = []
        self._made_ends = array("f")
        for fold in folds:
            self._read(fold)
        if not len(self):
            raise RecipeError(f"{folds[0].manifest}: no utterances")

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[JudgedUtterance]:
        return map(JudgedUtterance._make, self._rows.rows(0, len(self)))

    @property
    def seconds(self) -> np.ndarray:
        """Length of each utterance [utterances]."""
        return np.frombuffer(self._seconds)

    def _read(self, fold: FoldFiles) -> None:
        details, judgements = (ByLine(file, fold.manifest) for file in (fold.details, fold.judgements))
        for number, record in read_json_lines(fold.manifest):
            one = manifest.parse(record, f"{fold.manifest}:{number}")
            self._add(one, record["place"], details.of(one.key), Judgement.from_json(judgements.of(one.key)))
        details.end()
        judgements.end()

    def _add(self, one: manifest.Utterance, place: int, found: dict, judged: Judgement) -> None:
        squeezed = _squeezer(one.language)
        text = squeezed(one.text)
        heard = text if found["text"] == one.text else squeezed(found["text"])
        name, key = split_key(one.key)
        speech = not _SILENT.intersection(found.get("flags", ()))
        row = JudgedUtterance(
            name, key, place, one.speaker, one.language, one.text, found["text"], text, heard, speech, one.source,
            one.start, one.end, one.channel,
        )  # fmt: skip
        self._rows.add(row)
        self._seconds.append(one.duration)
        known = None not in (judged.reference, judged.hypothesis, judged.sound)
        self._known.append(known)
        if not known:
            return
        self._features.extend(evidence.features(text, heard, judged.reference, judged.hypothesis))
        self._sound.extend(judged.sound)
        if judged.wrong is not None:
            wrong = squeezed(judged.wrong_text)
            self._made.extend(evidence.features(wrong, heard, judged.wrong, judged.hypothesis))
            self._made_spoken.append(Spoken(wrong, one.speaker, judged.sound.speech))
            self._made_ends.append(judged.sound.ends_at)

    def scores(self) -> Scores:
        """Scores of all utterances and of the made wrong transcripts. RecipeError of too few of these."""
        width = len(evidence.FEATURES)
        features, made = (np.frombuffer(values).reshape(-1, width) for values in (self._features, self._made))
        known = np.frombuffer(self._known, dtype=np.int8).astype(bool)
        if len(made) < LEAST_MADE:
            raise RecipeError(
                f"{int(known.sum())} utterances could be judged; at least {LEAST_MADE} with different transcripts are "
                "needed to tell right from wrong"
            )
        scores, of_made = classifier.scores(features, made)
        sound = np.frombuffer(self._sound, np.float32).reshape(-1, len(SoundEvidence._fields))
        ends, clipped = sound[:, 0], sound[:, 2]
        deviations, made_deviations = self._deviations(known, sound[:, 1])
        loud, long = evidence.usual(ends, evidence.LOUD_END), evidence.usual(deviations, evidence.TOO_LONG)
        scores += evidence.unusual(ends, loud, deviations, long)
        of_made += evidence.unusual(np.frombuffer(self._made_ends, np.float32), loud, made_deviations, long)
        return Scores(
            _spread(scores, known, np.nan),
            of_made,
            _spread(ends > loud, known, False),
            _spread(deviations, known, 0.0),
            _spread(clipped, known, 0.0),
        )

    def _deviations(self, known: np.ndarray, speech: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """By how much transcripts are too long for their recordings: those that were judged, and the made ones."""

        def spoken() -> Iterator[Spoken]:
            judged = (one for one, is_known in zip(self, known, strict=True) if is_known)
            return (Spoken(one.text, one.speaker, float(own)) for one, own in zip(judged, speech, strict=True))

        if not (rate := speaking_rate.learn(spoken)):
            return np.zeros(len(speech)), np.zeros(len(self._made_spoken))
        return rate.deviations(spoken()), rate.deviations(self._made_spoken)


def _spread(values: np.ndarray, known: np.ndarray, rest: float) -> np.ndarray:
    """Values of the known utterances as those of all [utterances]."""
    found = np.full(len(known), rest, values.dtype)
    found[known] = values
    return found


@cache
def _squeezer(language: str | None):
    """What makes a text comparable, in a language."""
    work = normalizer("faithful", language=language)
    return lambda text: evidence.squeezed(work(" ".join(text.split())))
