"""What a run leaves out while it goes: utterances whose audio cannot be read although the data stage accepted them, and
steps whose gradients are not finite. Some of either are a warning each, too many end the run.

The account is part of every checkpoint, so that a resumed run ends with the one of an undisturbed run. All processes
have the same: whoever finds something tells the others before it is added.
"""

import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recipe.files import RecipeError, read_json, write_json
from recipe.settings.train import TrainSettings
from recipe.train.processes import rank

logger = logging.getLogger(__name__)

FILE = "left_out.json"  # in a checkpoint
TRAIN, VALID = "train", "valid"
_KINDS = {TRAIN: "training", VALID: "validation"}
_NAMED = 5  # utterances in a message, at most


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reject:
    """An utterance that is not trained on, and why: a fixed word, and what was found."""

    key: str
    reason: str
    detail: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unread(Reject):
    """An utterance that could not be read, and its place in its set."""

    index: int


def reject_line(reject: Reject) -> str:
    """A line of rejects.tsv."""
    return "\t".join([reject.key, "train", reject.reason, " ".join(reject.detail.split())])


@dataclasses.dataclass(frozen=True)
class Suspects:
    """Utterances behind gradients that are not finite: those whose own loss is not, and the others of their batches."""

    keys: Sequence[str]
    others: Sequence[str]

    def __str__(self) -> str:
        if not self.keys:
            return f"in the step: {names(self.others)}"
        return f"loss not finite: {names(self.keys)}" + (f"; with {names(self.others)}" if self.others else "")


def names(found: Sequence[str]) -> str:
    """Some keys, or descriptions, and how many there are besides."""
    more = len(found) - _NAMED
    return ", ".join(found[:_NAMED]) + (f" and {more} others" if more > 0 else "")


def _why(reject: Reject) -> str:
    return f"{reject.reason}: {reject.detail}"


class LeftOut:
    """The account of a run. `utterances` says how many each set, TRAIN and VALID, has; those that cannot be read are
    added to `rejects_file`, which is there already."""

    def __init__(self, settings: TrainSettings, utterances: Mapping[str, int], rejects_file: Path):
        self._settings = settings
        self._utterances = utterances
        self._rejects_file = rejects_file
        self._unread: dict[tuple[str, int], Unread] = {}  # by set and place, in the order in which they were found
        self._steps = 0

    @property
    def facts(self) -> dict[str, Any]:
        """What recipe.json says of it: unreadable utterances by set, and steps."""
        return {"unreadable": {part: self._count(part) for part in (TRAIN, VALID)}, "steps_left_out": self._steps}

    def _count(self, part: str) -> int:
        return sum(of == part for of, _ in self._unread)

    def save(self, checkpoint: Path) -> None:
        """Write the account beside a checkpoint's weights."""
        unread = [(part, dataclasses.asdict(one)) for (part, _), one in self._unread.items()]
        write_json(checkpoint / FILE, {"unread": unread, "steps": self._steps})

    def resume(self, checkpoint: Path) -> None:
        """Take up the account of a checkpoint."""
        if not (checkpoint / FILE).is_file():
            return  # of a release that left nothing out
        kept = read_json(checkpoint / FILE)
        self._steps = kept["steps"]
        for part, values in kept["unread"]:
            self._add(part, [Unread(**values)])

    def add_unread(self, part: str, found: Iterable[Unread]) -> None:
        """Add utterances of a set that cannot be read, each once. RecipeError if there are more than are allowed."""
        for one in self._add(part, found):
            logger.warning("%s utterance %s cannot be read and is left out: %s", _KINDS[part], one.key, _why(one))
        if self._count(part) > self._allowed(part):
            raise RecipeError(self._too_many_unread(part))

    def _add(self, part: str, found: Iterable[Unread]) -> list[Unread]:
        """Those that are new."""
        new = {(part, one.index): one for one in found if (part, one.index) not in self._unread}
        self._unread |= new
        if new and rank() == 0:
            with open(self._rejects_file, "a", encoding="utf-8") as file:
                file.writelines(f"{reject_line(one)}\n" for one in new.values())
        return list(new.values())

    def _allowed(self, part: str) -> int:
        share = self._settings.max_unreadable
        return max(1, int(share * self._utterances[part] + 1e-6)) if share else 0  # 0.29 of 100 are 29

    def _too_many_unread(self, part: str) -> str:
        found = [f"{one.key} ({_why(one)})" for (of, _), one in self._unread.items() if of == part]
        return (
            f"{len(found)} of {self._utterances[part]} {_KINDS[part]} utterances cannot be read, and max_unreadable "
            f"{self._settings.max_unreadable:g} allows {self._allowed(part)}: {names(found)} (all in "
            f"{self._rejects_file}); mend the recordings, or run the data stage again with data.verify: full, which "
            "rejects them"
        )

    def add_step(self, step: int, found: Iterable[Suspects]) -> None:
        """Add an optimizer step whose gradients are not finite, with what each process suspects. RecipeError if there
        are more than are allowed."""
        self._steps += 1
        found = list(found)
        worst = [suspects for suspects in found if suspects.keys] or found
        suspects = Suspects(*([key for one in worst for key in getattr(one, field)] for field in ("keys", "others")))
        logger.warning("step %d: gradients are not finite; the step is left out (%s)", step, suspects)
        if self._steps > max(2, self._settings.max_nonfinite * step):
            raise RecipeError(
                f"{self._steps} of {step} steps had gradients that are not finite (max_nonfinite "
                f"{self._settings.max_nonfinite:g}), at last step {step} ({suspects}); lower learning_rate, or look at "
                "the audio and transcripts of these utterances"
            )
