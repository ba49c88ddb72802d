"""The score of a system: cer.txt, score.json and the aligned utterances, in one pass over the references.

Memory holds the hypotheses, a mark per reference and the counts; texts and alignments are written as they come.
"""

import contextlib
import logging
import os
import platform
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import rapidfuzz

from recipe.files import RecipeError, open_atomic, sha256, write_json
from recipe.score.align import edits
from recipe.score.annotations import (
    DURATION_NAMES,
    Flags,
    duration_name,
    flags_of,
    read_details,
    read_durations,
    read_labels,
)
from recipe.score.cer_txt import aligned_lines, summary, utterance_block, width
from recipe.score.comparison import Comparison
from recipe.score.counts import RATES, TokenErrors, count, counts_by_rate, most_common
from recipe.score.hotwords import Hotwords
from recipe.score.policy import Settings
from recipe.score.tallies import Groups, Tally
from recipe.score.tokens import Cached, tokenize
from recipe.score.transcripts import Hypotheses, Transcripts
from recipe.score.utterance import Utterance, correct_step, utterance_line

# Version of score.json's layout, and of the rules of counting (scores of different rules cannot be compared).
FORMAT = 1
COUNTING = 1
LISTED_ERRORS = 50
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """The files that go in: Kaldi tables, but for `hyp_jsonl`, the decoder's details, and `durations`, JSON lines."""

    ref: str
    hyp: str
    compare: str | None = None
    utt2spk: str | None = None
    utt2lang: str | None = None
    utt2group: str | None = None
    durations: str | None = None
    hyp_jsonl: str | None = None
    hotwords: str | None = None

    def given(self) -> dict[str, str]:
        return {name: path for name, path in asdict(self).items() if path is not None}


class Details:
    """What score.json has beyond cer.txt, gathered utterance by utterance."""

    def __init__(self, inputs: Inputs, settings: Settings):
        self.settings = settings
        speakers = read_labels(inputs.utt2spk, "speaker")
        # One speaker cannot be resampled: then it is done by utterance.
        self.speakers = speakers if speakers and len(set(speakers.values())) > 1 else {}
        self.decoded = read_details(inputs.hyp_jsonl) if inputs.hyp_jsonl else {}
        seconds = {key: value.duration for key, value in self.decoded.items() if value.duration is not None}
        seconds |= read_durations(inputs.durations) if inputs.durations else {}
        durations = {key: duration_name(value) for key, value in seconds.items()} if seconds else None
        self.tallies = {name: Tally() for name in RATES}
        self.groups = {
            "by_language": Groups(read_labels(inputs.utt2lang, "language")),
            "by_speaker": Groups(speakers),
            "by_group": Groups(read_labels(inputs.utt2group, "group")),
            "by_duration": Groups(durations, DURATION_NAMES),
        }
        self.hotwords = Hotwords(inputs.hotwords, settings.remove_tags) if inputs.hotwords else None
        self.comparison = Comparison(inputs.compare, settings) if inputs.compare else None
        self.flags = Flags()
        self.empty_ref = self.empty_hyp = self.unexplained = 0

    def add(self, scored: Utterance) -> list[str]:
        """Add one utterance and return its flags."""
        key, ref, hyp = scored.key, scored.ref, scored.hyp
        speaker = self.speakers.get(key)
        counts = counts_by_rate(ref, hyp, scored.counts)
        for name, tally in self.tallies.items():
            tally.add(speaker, counts[name])
        for groups in self.groups.values():
            groups.add(key, scored.counts, speaker)
        self.empty_ref += not ref.mixed
        self.empty_hyp += not hyp.mixed and not scored.missing
        if self.hotwords:
            self.hotwords.add(key, ref.mixed, hyp.mixed)
        if self.comparison:
            self.comparison.add(scored, counts, speaker)
        decoded = self.decoded.get(key)
        self.unexplained += bool(self.decoded) and not scored.missing and decoded is None
        flags = flags_of(ref.mixed, hyp.mixed, scored.missing, decoded)
        self.flags.add(key, flags)
        return flags

    def labels(self, key: str) -> dict[str, str]:
        """The groups that an utterance belongs to, as far as known."""
        return {
            name.removeprefix("by_"): groups.names[key] for name, groups in self.groups.items() if key in groups.names
        }


class Scorer:
    """One pass over the references."""

    def __init__(self, inputs: Inputs, settings: Settings, detailed: bool):
        self.inputs = inputs
        self.settings = settings
        self.refs = Transcripts(inputs.ref)
        self.hyps = Hypotheses(inputs.hyp, settings)
        self.tokens = TokenErrors()
        self.right = self.wrong = 0
        self.details = Details(inputs, settings) if detailed else None

    def __iter__(self) -> Iterator[tuple[Utterance, list[str]]]:
        """Score and yield the utterances, each with its flags, in the order of the references.

        RecipeError names the line or the key; keys that are missing or too many are known at the end.
        """
        for key, text in self.refs:
            try:
                scored = self._score(key, text)
                flags = self.details.add(scored) if self.details else []
            except RecipeError as error:
                raise RecipeError(f"{self.inputs.ref}: key {key!r}: {error}") from None
            yield scored, flags
        if not self.right + self.wrong:
            raise RecipeError(f"{self.inputs.ref}: no references; there is nothing to score")
        self.hyps.check(self.inputs.ref)
        if self.details and self.details.comparison:
            self.details.comparison.hyps.check(self.inputs.ref)

    def _score(self, key: str, ref_text: str) -> Utterance:
        hyp_text = self.hyps.take(key)
        ref = tokenize(ref_text, self.settings.remove_tags)
        hyp = tokenize(hyp_text or "", self.settings.remove_tags)
        found = edits(ref.mixed, hyp.mixed)
        counts = count(len(ref.mixed), len(hyp.mixed), found)
        self.tokens.add(ref.mixed, hyp.mixed, found)
        self.wrong += bool(found)
        self.right += not found
        return Utterance(key, ref_text, hyp_text or "", hyp_text is None, ref, hyp, found, counts)

    def summary(self) -> str:
        """The end of cer.txt."""
        clusters = self.tokens.by_cluster()
        return summary(self.tokens.total(), clusters, self.right, self.wrong, self.hyps.extra, self.hyps.missing)

    def result(self) -> dict[str, Any]:
        """score.json."""
        details, settings, tokens = self.details, self.settings, self.tokens
        total = self.right + self.wrong
        return {
            "format": FORMAT,
            **{name: tally.result(settings) for name, tally in details.tallies.items()},
            "ser": {"rate": self.wrong / total if total else None, "n": total, "err": self.wrong},
            "utterances": {
                "ref": total,
                "scored": total,
                "missing": self.hyps.missing,
                "extra": self.hyps.extra,
                "empty_ref": details.empty_ref,
                "empty_hyp": details.empty_hyp,
                "repeated_ref": self.refs.repeated,
                "repeated_hyp": self.hyps.repeated,
            },
            "by_cluster": {
                name: counts.as_dict() | {"utterances": tokens.utterances[name]}
                for name, counts in tokens.by_cluster().items()
            },
            **{name: groups.result(settings) for name, groups in details.groups.items()},
            "confusions": [[*pair, times] for pair, times in most_common(tokens.confusions, LISTED_ERRORS)],
            "insertions": [list(item) for item in most_common(tokens.insertions, LISTED_ERRORS)],
            "deletions": [list(item) for item in most_common(tokens.deletions, LISTED_ERRORS)],
            "hotwords": details.hotwords.result() if details.hotwords else None,
            "flags": details.flags.result(),
            "compare": details.comparison.result() if details.comparison else None,
            "settings": asdict(settings) | {"unit": "speaker" if details.speakers else "utterance"},
            "versions": versions(settings.mode),
            "inputs": {
                name: {"file": Path(path).name, "sha256": sha256(path)} for name, path in self.inputs.given().items()
            },
        }

    def log_summary(self, out: str) -> None:
        """Log the rate, and what a reader of it must know."""
        hyp, missing, extra = self.inputs.hyp, self.hyps.missing, self.hyps.extra
        if missing:
            log.warning("%s: %d keys of %s have no hypothesis; counted as deletions", hyp, missing, self.inputs.ref)
        if extra:
            log.warning("%s: %d keys are not in %s; left out", hyp, extra, self.inputs.ref)
        if self.details and self.details.unexplained:
            path, times = self.inputs.hyp_jsonl, self.details.unexplained
            log.warning("%s: has no details of %d hypotheses; is it of another decoding?", path, times)
        log.info("%s: %s over %d utterances", out, self.tokens.total(), self.right + self.wrong)


def versions(mode: str | None) -> dict[str, Any]:
    """Versions of what decides a score. That of the normalization is known by its name alone."""
    import numpy as np

    from recipe.normalize import VERSIONS

    return {
        "normalization": VERSIONS.get(mode),
        "counting": COUNTING,
        "python": platform.python_version(),
        "unicode": unicodedata.unidata_version,
        "rapidfuzz": rapidfuzz.__version__,
        "numpy": np.__version__,
    }


def check_paths(inputs: Inputs, outputs: list[str]) -> None:
    """RecipeError if an input is no file, or an output is an input or another output, by whatever path or link."""
    for path in inputs.given().values():
        if not os.path.exists(path):
            raise RecipeError(f"{path}: no such file")
        if not os.path.isfile(path):
            raise RecipeError(f"{path}: is no regular file; it is read twice, for its hash, and a pipe cannot be")
    for index, out in enumerate(outputs):
        if os.path.isdir(out):
            raise RecipeError(f"{out}: is a directory, expected the name of a file")
        for path in [*inputs.given().values(), *outputs[:index]]:
            linked = os.path.exists(out) and os.path.exists(path) and os.path.samefile(out, path)
            if linked or os.path.realpath(out) == os.path.realpath(path):
                raise RecipeError(f"{out}: the output is the same file as {path}; write to another file")


def score_files(inputs: Inputs, settings: Settings, out: str, json_out: str | None, rows_out: str | None) -> None:
    """Score `inputs` and write cer.txt to `out`, score.json to `json_out` and the aligned utterances to `rows_out`.

    All of them are written or, on an error, none.
    """
    check_paths(inputs, [path for path in (out, json_out, rows_out) if path])
    scorer = Scorer(inputs, settings, detailed=bool(json_out or rows_out))
    widths, correct = Cached(width), Cached(correct_step)
    with contextlib.ExitStack() as stack:
        report = stack.enter_context(open_atomic(out))
        rows = stack.enter_context(open_atomic(rows_out)) if rows_out else None
        for scored, flags in scorer:
            lines = aligned_lines(scored.ref.mixed, scored.hyp.mixed, scored.found, widths)
            report.write(utterance_block(scored.key, scored.counts, *lines))
            if rows:
                rows.write(utterance_line(scored, flags, scorer.details.labels(scored.key), correct))
        report.write(scorer.summary())
        if json_out:
            write_json(json_out, scorer.result())
    scorer.log_summary(out)
