"""The score of a system: cer.txt, score.json and the aligned utterances, in one pass over the references.

Memory holds the counts; what other tables say is read in step with the references (see `in_step`), and texts and
alignments are written as they come.
"""

import contextlib
import logging
import os
import platform
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import rapidfuzz

from recipe.files import RecipeError, open_atomic, refuse_overwriting, sha256, write_json
from recipe.score import significance
from recipe.score.annotations import (
    DURATION_NAMES,
    Decoded,
    DecoderDetails,
    FlagCounts,
    Labels,
    duration_name,
    flags_of,
    read_rejects,
)
from recipe.score.cer_txt import aligned_lines, summary, utterance_block, width
from recipe.score.comparison import Comparison
from recipe.score.counts import TokenErrors
from recipe.score.hotwords import HotwordScores
from recipe.score.policy import ScoringPolicy
from recipe.score.tallies import GroupTallies, RateTallies
from recipe.score.tokens import Cached
from recipe.score.transcripts import HypothesisTexts, Transcripts
from recipe.score.utterance import ScoredUtterance, correct_step, score_utterance, utterance_line

# Version of score.json's layout, and of the rules of counting (scores of different rules cannot be compared).
FORMAT = 1
COUNTING = 2  # 2: of texts of faithful mode, digits count singly
LISTED_ERRORS = 50
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoreInputs:
    """The files that go in: Kaldi tables, but for `hyp_jsonl`, the decoder's details, and `durations`, JSON lines,
    `rejects`, what the data stage left out of the set, and `equivalent`, the file of equivalent spellings by which the
    texts were normalized, which is recorded only."""

    ref: str
    hyp: str
    compare: str | None = None
    utt2spk: str | None = None
    utt2lang: str | None = None
    utt2group: str | None = None
    durations: str | None = None
    hyp_jsonl: str | None = None
    hotwords: str | None = None
    rejects: str | None = None
    equivalent: str | None = None

    def given(self) -> dict[str, str]:
        """Paths of the files that there are, by the names of the fields."""
        return {name: path for name, path in asdict(self).items() if path is not None}


class Told(NamedTuple):
    """What other files say of an utterance: its groups by their kind, and the decoder's details. None: nothing."""

    groups: dict[str, str | None]
    decoded: DecoderDetails | None

    @property
    def labels(self) -> dict[str, str]:
        """The groups that are known."""
        return {name.removeprefix("by_"): value for name, value in self.groups.items() if value is not None}


class ScoreDetails:
    """What score.json has beyond cer.txt, gathered utterance by utterance. RecipeError if an input cannot be read."""

    def __init__(self, inputs: ScoreInputs, policy: ScoringPolicy):
        self._labels = {
            "by_language": Labels(inputs.utt2lang, "language"),
            "by_speaker": Labels(inputs.utt2spk, "speaker"),
            "by_group": Labels(inputs.utt2group, "group"),
        }
        self._decoded = Decoded(inputs.hyp_jsonl, inputs.durations)
        self.rates = RateTallies(self._labels["by_speaker"].several)
        self.groups = {name: GroupTallies(labels.given) for name, labels in self._labels.items()}
        self.groups["by_duration"] = GroupTallies(self._decoded.timed, DURATION_NAMES)
        self.hotwords = HotwordScores(inputs.hotwords, policy) if inputs.hotwords else None
        self.comparison = Comparison(inputs.compare, policy) if inputs.compare else None
        self.flags = FlagCounts()
        self.rejected = read_rejects(inputs.rejects) if inputs.rejects else Counter()
        self.empty_ref = self.empty_hyp = self.unexplained = 0

    def look_up(self, key: str) -> Told:
        """What other files say of the next utterance. RecipeError names the line that is wrong."""
        groups = {name: labels.take(key) for name, labels in self._labels.items()}
        decoded, seconds = self._decoded.take(key)
        groups["by_duration"] = None if seconds is None else duration_name(seconds)
        return Told(groups, decoded)

    def finish(self) -> None:
        """RecipeError for what is wrong in lines that nobody asked for."""
        for table in (*self._labels.values(), self._decoded):
            table.finish()

    def add(self, scored: ScoredUtterance, told: Told) -> list[str]:
        """Add one utterance, of which other files say what is `told`, and return its flags."""
        key, ref, hyp = scored.key, scored.ref, scored.hyp
        speaker = told.groups["by_speaker"] if self.rates.by_speaker else None
        counts = self.rates.add(scored, speaker)
        for name, groups in self.groups.items():
            groups.add(told.groups[name], scored.counts, speaker)
        self.empty_ref += not ref.mixed
        self.empty_hyp += not hyp.mixed and not scored.missing
        if self.hotwords:
            self.hotwords.add(key, ref.whole, hyp.whole)
        if self.comparison:
            self.comparison.add(scored, counts, speaker)
        self.unexplained += self._decoded.given and not scored.missing and told.decoded is None
        flags = flags_of(ref.whole, hyp.whole, scored.missing, told.decoded)
        self.flags.add(key, flags)
        return flags

    def caution(self, policy: ScoringPolicy) -> str | None:
        """Why intervals cannot be trusted, if there are any."""
        speakers = self.groups["by_speaker"].known()
        return significance.caution(speakers or None, self.rates.utterances) if policy.bootstrap else None


class Scorer:
    """One pass over the references: iterate over it, then ask for `summary` and `result`. `detailed`: gather what
    score.json needs, which takes about as long again."""

    def __init__(self, inputs: ScoreInputs, policy: ScoringPolicy, detailed: bool):
        self.inputs = inputs
        self.policy = policy
        self.refs = Transcripts(inputs.ref)
        self.hyps = HypothesisTexts(inputs.hyp, policy)
        self.tokens = TokenErrors()
        self.details = ScoreDetails(inputs, policy) if detailed else None

    def __iter__(self) -> Iterator[tuple[ScoredUtterance, list[str], dict[str, str]]]:
        """Score and yield the utterances, each with its flags and its groups by kind, in the order of the references.

        RecipeError names the line or the key; keys that are missing or too many are known at the end.
        """
        for key, text in self.refs:
            hyp = self.hyps.take(key)
            told = self.details.look_up(key) if self.details else None
            try:
                scored = score_utterance(key, text, hyp, self.policy)
                self.tokens.add(scored.ref.mixed, scored.hyp.mixed, scored.found)
                flags = self.details.add(scored, told) if self.details else []
            except RecipeError as error:
                raise RecipeError(f"{self.inputs.ref}: key {key!r}: {error}") from None
            yield scored, flags, told.labels if told else {}
        if not self.tokens.sentences().n:
            raise RecipeError(f"{self.inputs.ref}: no references; there is nothing to score")
        self.hyps.check(self.inputs.ref)
        if self.details:
            self.details.finish()
        if self.details and self.details.comparison:
            self.details.comparison.hyps.check(self.inputs.ref)

    def summary(self) -> str:
        """The end of cer.txt."""
        tokens, hyps = self.tokens, self.hyps
        return summary(tokens.total(), tokens.by_cluster(), tokens.right, tokens.wrong, hyps.extra, hyps.missing)

    def result(self) -> dict[str, Any]:
        """The content of score.json (docs/scoring.md has its keys); for a `detailed` scorer."""
        details, policy, tokens = self.details, self.policy, self.tokens
        sentences = tokens.sentences()
        return {
            "format": FORMAT,
            **{name: rate.as_dict() for name, rate in details.rates.rates(policy).items()},
            "ser": sentences._asdict(),
            "utterances": {
                "ref": sentences.n,
                "scored": sentences.n,
                "missing": self.hyps.missing,
                "extra": self.hyps.extra,
                "empty_ref": details.empty_ref,
                "empty_hyp": details.empty_hyp,
                "repeated_ref": self.refs.repeated,
                "repeated_hyp": self.hyps.repeated,
                "rejected": details.rejected.total(),
            },
            "rejected": dict(sorted(details.rejected.items())),
            "by_cluster": {
                name: counts.as_dict() | {"utterances": tokens.cluster_utterances[name]}
                for name, counts in tokens.by_cluster().items()
            },
            **{name: groups.result(policy) for name, groups in details.groups.items()},
            **tokens.lists(LISTED_ERRORS),
            "hotwords": details.hotwords.result() if details.hotwords else None,
            "flags": details.flags.result(),
            "compare": details.comparison.result() if details.comparison else None,
            "caution": details.caution(policy),
            "settings": asdict(policy)
            | {
                "unit": "speaker" if details.rates.by_speaker else "utterance",
                "single_digits": policy.single_digits,
            },
            "versions": versions(policy.mode),
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
        if self.details and (words := self.details.caution(self.policy)):
            log.warning("%s: %s", out, words)
        if self.details and (rejected := self.details.rejected):
            named = ", ".join(f"{reason} {times}" for reason, times in rejected.most_common())
            log.warning("%s: %d lines of the set were rejected and are not scored: %s", out, rejected.total(), named)
        log.info("%s: %s over %d utterances", out, self.tokens.total(), self.tokens.sentences().n)


def versions(mode: str | None) -> dict[str, Any]:
    """Versions of what decides a score. That of the normalization is known by its name alone."""
    import numpy as np

    from recipe.normalize import VERSIONS

    return {
        "normalization": VERSIONS.get(mode),
        "counting": COUNTING,
        "intervals": significance.VERSION,
        "python": platform.python_version(),
        "unicode": unicodedata.unidata_version,
        "rapidfuzz": rapidfuzz.__version__,
        "numpy": np.__version__,
    }


def check_paths(inputs: ScoreInputs, outputs: list[str]) -> None:
    """RecipeError if an input is no regular file, or an output is a directory, an input or another output, by whatever
    path or link."""
    for path in inputs.given().values():
        if not os.path.exists(path):
            raise RecipeError(f"{path}: no such file")
        if not os.path.isfile(path):
            raise RecipeError(f"{path}: is no regular file; it is read twice, for its hash, and a pipe cannot be")
    for out in outputs:
        if os.path.isdir(out):
            raise RecipeError(f"{out}: is a directory, expected the name of a file")
    refuse_overwriting(outputs, inputs.given().values())


def score_files(
    inputs: ScoreInputs, policy: ScoringPolicy, out: str, json_out: str | None, rows_out: str | None
) -> None:
    """Score `inputs` and write cer.txt to `out`, score.json to `json_out` and the aligned utterances to `rows_out`.

    `json_out` and `rows_out` may be None. All of them are written or, on an error, none. Memory does not grow with the
    references' texts (see the top). RecipeError names the file, line or key.
    """
    check_paths(inputs, [path for path in (out, json_out, rows_out) if path])
    scorer = Scorer(inputs, policy, detailed=bool(json_out or rows_out))
    widths, correct = Cached(width), Cached(correct_step)
    with contextlib.ExitStack() as stack:
        report = stack.enter_context(open_atomic(out))
        rows = stack.enter_context(open_atomic(rows_out)) if rows_out else None
        for scored, flags, labels in scorer:
            lines = aligned_lines(scored.ref.mixed, scored.hyp.mixed, scored.found, widths)
            report.write(utterance_block(scored.key, scored.counts, *lines))
            if rows:
                rows.write(utterance_line(scored, flags, labels, correct))
        report.write(scorer.summary())
        if json_out:
            write_json(json_out, scorer.result())
    scorer.log_summary(out)
