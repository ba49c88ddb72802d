"""Reliability of the confidences of a report's models: read from the decoder's details and the transcripts."""

from collections.abc import Iterator
from typing import NamedTuple

from recipe.data import manifest
from recipe.files import read_json_lines
from recipe.report.spec import Spec
from recipe.score.reliability import BINS, Bin, Reliability, reliability, right_words


class Judged(NamedTuple):
    """The confidences of a model on a test set against what is right."""

    model: str
    test: str
    found: Reliability

    @property
    def bins(self) -> list[Bin | None]:
        """All bins in order; None where there are no words."""
        filled = {round(one.low * BINS): one for one in self.found.bins}
        return [filled.get(number) for number in range(BINS)]


def collect(spec: Spec) -> list[Judged]:
    """By test set and model; nothing of details that have no confidences, or of sets without a manifest."""
    found = []
    for test in spec.tests:
        paths = [data.manifest for data in spec.of_role("test") if data.name == test and data.manifest]
        references = {one.key: one.text for path in paths for one in manifest.read(path)}
        details = {files.model: files.details for files in spec.scores if files.test == test and files.details}
        for model in spec.models:
            judged = reliability(_judged(details[model], references)) if model in details else None
            if judged and judged.words:
                found.append(Judged(model, test, judged))
    return found


def _judged(details: str, references: dict[str, str]) -> Iterator[tuple[float, bool]]:
    for _, row in read_json_lines(details):
        words = [word for word in row.get("words", ()) if "confidence" in word]
        if words and row["key"] in references:
            right = right_words([word["word"] for word in words], references[row["key"]])
            yield from zip((word["confidence"] for word in words), right, strict=True)
