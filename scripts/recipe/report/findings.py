"""What a reader has to mind before trusting the numbers, in sentences."""

from collections.abc import Iterator
from typing import Any

from recipe.report.data import DataCard
from recipe.report.results import Results
from recipe.report.spec import Spec
from recipe.report.summary import percent
from recipe.report.training import Training

FLAGS = {
    "missing": "without a hypothesis, counted as deletions",
    "error": "that could not be decoded",
    "truncated": "that were stopped at the length limit",
    "looping": "that repeat a phrase over and over",
    "empty_hypothesis": "that were decoded to nothing",
    "text_without_reference": "decoded to text although the reference is empty",
    "text_on_silence": "decoded to text although the detector hears no speech",
    "no_speech": "that were not decoded, in whole or in part, because the detector hears no speech",
    "decoded_again": "whose text is of a second decoding, with a repetition penalty",
    "incomplete_recording": "whose recording lacks its end",
}


ALWAYS_SHOWN = ("missing", "error", "truncated", "looping")


def flag_names(results: Results) -> list[str]:
    """Flags that some hypothesis has, those of FLAGS first, and those that are looked for in any case."""
    found = {name for result in results for name, flag in result.score.get("flags", {}).items() if flag["count"]}
    return [*(name for name in FLAGS if name in found or name in ALWAYS_SHOWN), *sorted(found.difference(FLAGS))]


def collect(
    spec: Spec,
    results: Results,
    cards: list[DataCard],
    shared: dict[str, Any],
    trainings: list[Training],
) -> list[str]:
    """All findings, the gravest first; `shared` is what sets share, as leaks.json has it."""
    return [
        *_training(trainings),
        *_worse(spec, results),
        *(sentence if sentence.endswith(".") else f"{sentence}." for sentence in shared["findings"]),
        *_cautions(spec, results),
        *_flags(spec, results),
        *_rejects(cards),
    ]


def _training(trainings: list[Training]) -> Iterator[str]:
    for base, mode in dict.fromkeys(training.assumed for training in trainings if training.assumed):
        yield f"{base} does not state its audio tokens: {mode} is assumed; model.audio_tokens states it."
    for training in trainings:
        if (step := training.diverged_at()) is not None:
            yield f"{training.name}: the loss is no finite number at step {step}."
        for kind, count in training.unreadable().items():
            yield (
                f"{training.name}: {count} {kind} utterances could not be read and were left out; rejects.tsv beside "
                "the model names them."
            )
        if steps := training.recipe.get("steps_left_out"):
            yield f"{training.name}: {steps} steps with gradients that are not finite were left out."
        last = training.logged("step")
        recipe = training.recipe
        if recipe.get("selected_by") in ("cer", "loss") and last and recipe.get("selected_steps") == [last]:
            yield (
                f"{training.name}: the last checkpoint was the best by validation {recipe['selected_by']}; "
                "longer training may give more."
            )


def _worse(spec: Spec, results: Results) -> Iterator[str]:
    for result in results.of_rows():
        if result.mode == spec.modes[0] and result.verdict == "worse":
            base = results.get(spec.baseline, result.test, result.mode)
            yield (
                f"{result.model} is significantly worse than {spec.baseline} on {result.test}: "
                f"{percent(result.rate)} % against {percent(base.rate)} %."
            )


def _cautions(spec: Spec, results: Results) -> Iterator[str]:
    for test in spec.tests:
        if caution := results.caution(test, spec.modes[0]):
            yield f"{test}: {caution}."


def _flags(spec: Spec, results: Results) -> Iterator[str]:
    for test in spec.tests:
        found = [result for result in results if (result.test, result.mode) == (test, spec.modes[0])]
        for name, what in FLAGS.items():
            counts = [f"{result.model} {result.flagged(name)}" for result in found if result.flagged(name)]
            if counts:
                yield f"{test}: of {found[0].utterances} utterances, those {what}: {', '.join(counts)}."


def _rejects(cards: list[DataCard]) -> Iterator[str]:
    for card in cards:
        if card.rejected:
            yield f"{card.role} set {card.name}: {card.rejected.total()} of {card.entries} entries were rejected."
        if card.remarked:
            named = ", ".join(f"{remark} {count}" for (_, remark), count in card.remarked.most_common())
            yield f"{card.role} set {card.name}: remarks on accepted utterances: {named}."
