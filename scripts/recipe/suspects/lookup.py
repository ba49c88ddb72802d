"""Looking for the transcript that was said: an index of the hypotheses that ask, through which all transcripts pass."""

import heapq
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate

from recipe.suspects.kinds import NEAR, Heard, Other

_Like = tuple[float, int, Other]  # how alike, minus the number of the transcript, and it

GRAM = 3  # characters
KEPT = 5  # transcripts for each hypothesis, and as many of the same speaker
BUDGET = 50_000_000  # meetings of a transcript and a hypothesis by a gram, up to 1 us each: the rarest grams count


class Asked:
    """Utterances that look for the transcript of what was said in them. Show all transcripts to `count` and then, in
    the same order, to `see`; then ask for the `candidates` of each. Memory does not grow with the transcripts."""

    def __init__(self, asking: Iterable[Heard]):
        self._asking = list(asking)
        self._hypotheses: dict[str, int] = {}
        self._near: dict[tuple[str, int], list[int]] = defaultdict(list)
        self._lines: list[list[Other]] = [[] for _ in self._asking]
        for number, heard in enumerate(self._asking):
            self._hypotheses.setdefault(heard.hypothesis, len(self._hypotheses))
            for place in range(heard.place - NEAR, heard.place + NEAR + 1):
                self._near[heard.set, place].append(number)
        self._grams: dict[str, list[int]] = defaultdict(list)
        for hypothesis, number in self._hypotheses.items():
            for gram in _grams(hypothesis):
                self._grams[gram].append(number)
        self._met = dict.fromkeys(self._grams, 0)
        self._lengths = list(map(len, self._hypotheses))
        # What is most alike, by hypothesis, and of its speakers by speaker.
        self._like: list[list[_Like]] = [[] for _ in self._hypotheses]
        self._own: list[dict[str | None, list[_Like]]] = [{} for _ in self._hypotheses]
        for heard in self._asking:
            self._own[self._hypotheses[heard.hypothesis]][heard.speaker] = []
        self._seen = 0

    def count(self, text: str) -> None:
        """Show a transcript for the first time."""
        for gram in _grams(text):
            if gram in self._met:
                self._met[gram] += 1

    def see(self, other: Other) -> None:
        """Show a transcript for the second time."""
        if not self._seen:
            self._drop_common()
        self._seen += 1
        for number in self._near.get((other.set, other.place), ()):
            self._lines[number].append(other)
        grams = _grams(other.text)
        shared: dict[int, int] = defaultdict(int)
        for gram in grams:
            for number in self._grams.get(gram, ()):
                shared[number] += 1
        for number, count in shared.items():
            like = 2 * count / (len(grams) + self._lengths[number])
            for best in (self._like[number], self._own[number].get(other.speaker)):
                # Of equal ones the earlier.
                if best is not None and (len(best) < KEPT or like > best[0][0]):
                    _keep(best, (like, -self._seen, other))

    def _drop_common(self) -> None:
        """Leave the grams that cost least, within BUDGET."""
        costs = sorted((self._met[gram] * len(found), gram) for gram, found in self._grams.items())
        spent = accumulate(cost for cost, _ in costs)
        self._grams = {
            gram: self._grams[gram] for (_, gram), total in zip(costs, spent, strict=True) if total <= BUDGET
        }

    def candidates(self) -> Iterable[tuple[Heard, list[Other]]]:
        """Each utterance with the transcripts near by and those that are most like its hypothesis."""
        for heard, lines in zip(self._asking, self._lines, strict=True):
            number = self._hypotheses[heard.hypothesis]
            like = {entry[:2]: entry for entry in self._like[number] + self._own[number][heard.speaker]}
            yield heard, lines + [like[place][-1] for place in sorted(like, reverse=True)]


def _keep(best: list[_Like], entry: _Like) -> None:
    """Put an entry among the best in the place of the least, once there are KEPT."""
    if len(best) < KEPT:
        heapq.heappush(best, entry)
    else:
        heapq.heapreplace(best, entry)


def _grams(text: str) -> set[str]:
    """The different grams of a text; of a shorter one the text itself."""
    return {text[place : place + GRAM] for place in range(max(1, len(text) - GRAM + 1))} if text else set()
