"""Looking for the transcript that was said: an index of the hypotheses that ask, through which all transcripts pass."""

import heapq
from collections import defaultdict
from collections.abc import Iterable

from recipe.suspects.kinds import NEAR, Heard, Other

GRAM = 3  # characters
COMMON = 2000  # hypotheses that a gram may be in; such as more have says nothing
KEPT = 5  # transcripts of the same speaker for each hypothesis, and of others


class Asked:
    """Utterances that look for the transcript of what was said in them. Show all transcripts to `see`, then ask for the
    `candidates` of each."""

    def __init__(self, asking: Iterable[Heard]):
        self._asking = list(asking)
        self._grams: dict[str, list[int]] = defaultdict(list)
        self._near: dict[tuple[str, int], list[int]] = defaultdict(list)
        # The most alike of other speakers and of the same one.
        self._like: list[tuple[list, list]] = [([], []) for _ in self._asking]
        self._lines: list[list[Other]] = [[] for _ in self._asking]
        for number, heard in enumerate(self._asking):
            for gram in _grams(heard.hypothesis):
                self._grams[gram].append(number)
            for place in range(heard.place - NEAR, heard.place + NEAR + 1):
                self._near[heard.set, place].append(number)
        self._grams = {gram: found for gram, found in self._grams.items() if len(found) <= COMMON}
        self._seen = 0

    def see(self, other: Other) -> None:
        """Show a transcript; memory does not grow with their number."""
        self._seen += 1
        for number in self._near.get((other.set, other.place), ()):
            self._lines[number].append(other)
        shared: dict[int, int] = defaultdict(int)
        grams = _grams(other.text)
        for gram in grams:
            for number in self._grams.get(gram, ()):
                shared[number] += 1
        for number, count in shared.items():
            heard = self._asking[number]
            if (other.set, other.place) == (heard.set, heard.place):
                continue
            like = 2 * count / (len(grams) + len(heard.hypothesis))
            best = self._like[number][heard.speaker == other.speaker]
            entry = (like, -self._seen, other)  # of equal ones the earlier
            if len(best) < KEPT:
                heapq.heappush(best, entry)
            elif entry[:2] > best[0][:2]:
                heapq.heapreplace(best, entry)

    def candidates(self) -> Iterable[tuple[Heard, list[Other]]]:
        """Each utterance with the transcripts near by and those that are most like its hypothesis."""
        for heard, lines, (others, own) in zip(self._asking, self._lines, self._like, strict=True):
            yield heard, lines + [entry[-1] for entry in sorted(own + others, key=lambda one: one[:2], reverse=True)]


def _grams(text: str) -> set[str]:
    """The different grams of a text; of a shorter one the text itself."""
    return {text[place : place + GRAM] for place in range(max(1, len(text) - GRAM + 1))} if text else set()
