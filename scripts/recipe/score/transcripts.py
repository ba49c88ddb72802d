"""The texts that are compared: references as a stream, hypotheses by key."""

from collections.abc import Iterator
from os import PathLike

from recipe.files import RecipeError
from recipe.score.in_step import InStep, repeated
from recipe.score.policy import ScoringPolicy
from recipe.text import tables

NAMED_KEYS = 10


class Transcripts:
    """A Kaldi `text` file read in order. `repeated` counts identical entries met again, which are passed over. The file
    is gone through once for keys that come twice, since only of these the texts have to be remembered."""

    def __init__(self, path: str | PathLike):
        self.path = path
        self.repeated = 0
        self._twice: frozenset[int] | None = None  # hashes of keys

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield (key, text). RecipeError names the line of a key with two different texts or of a NUL character."""
        if self._twice is None:
            self._twice = repeated(row.key for row in tables.rows(self.path))
        self.repeated = 0
        seen: dict[str, int] = {}
        for number, key, text in tables.read(self.path):
            if "\0" in key or "\0" in text:
                raise RecipeError(f"{self.path}:{number}: key {key!r} has a NUL character; the file is damaged")
            if hash(key) not in self._twice:
                yield key, text
                continue
            mark = hash(text)  # in place of the text, for the sake of memory; 64 bits do not meet by chance
            if key not in seen:
                seen[key] = mark
                yield key, text
            elif seen[key] == mark:
                self.repeated += 1
            else:
                raise RecipeError(f"{self.path}:{number}: key {key!r} appeared before with another text; keep one")


class HypothesisTexts:
    """The hypotheses of one system, each asked for once. `missing` counts the keys that were asked for and not there,
    `repeated` identical entries. RecipeError if the file at `path` (Kaldi `text`) cannot be read, see `Transcripts`."""

    def __init__(self, path: str, policy: ScoringPolicy):
        transcripts = Transcripts(path)
        for _ in transcripts:
            pass  # what is wrong in it is told now, and what is repeated counted
        self.path = path
        self.missing = 0
        self._policy = policy
        self.repeated = transcripts.repeated
        self._texts = InStep(transcripts)
        self._missing_keys: list[str] = []

    def take(self, key: str) -> str | None:
        """The text of a key, forgotten once given; None if there is none."""
        text = self._texts.take(key)
        if text is None:
            self.missing += 1
            if len(self._missing_keys) < NAMED_KEYS:
                self._missing_keys.append(key)
        return text

    @property
    def extra(self) -> int:
        """How many hypotheses have no reference; known when all references are done."""
        return len(self._texts.rest())

    def check(self, ref: str) -> None:
        """RecipeError where the policy forbids keys that are missing or too many."""
        if self.missing and self._policy.missing == "error":
            raise RecipeError(
                f"{self.path}: {self.missing} keys of {ref} have no hypothesis: "
                f"{_listed(self._missing_keys, self.missing)}; decode them, or count them with --missing deletions"
            )
        if self.extra and self._policy.extra == "error":
            raise RecipeError(
                f"{self.path}: {self.extra} keys are not in {ref}: {_listed(list(self._texts.rest()), self.extra)}; "
                "score the matching files, or leave these keys out with --extra ignore"
            )


def _listed(keys: list[str], total: int) -> str:
    return ", ".join(keys[:NAMED_KEYS]) + (", ..." if total > NAMED_KEYS else "")
