"""Hotwords in the prompts of training: some that the utterance says among others that it does not, so that the model
learns to use a list without writing what is only on it.

Every choice follows from the seed, the epoch and the utterance's key.
"""

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from recipe.files import RecipeError
from recipe.settings.train import HotwordSettings

# Stretches of Chinese characters and kana, which no spaces divide, or words of letters.
_JOINED = "\u3040-\u30ff\u3400-\u9fff"
_PIECES = re.compile(rf"[{_JOINED}]{{2,}}|[^\W\d_{_JOINED}]{{4,20}}")
_LETTER = re.compile(rf"[^\W_{_JOINED}]")
_LONGEST_JOINED = 4
_MOST_WORDS = 20_000  # that are taken out of transcripts ...
MOST_TEXTS = 100_000  # ... and out of so many of these


class HotwordSampler:
    """Draws the hotwords of an utterance in an epoch."""

    def __init__(self, settings: HotwordSettings, seed: int, words: Sequence[str]):
        self._settings = settings
        self._seed = seed
        self._words = words
        self._by_start = defaultdict(list)
        for word in self._words:
            self._by_start[word[:2]].append(word)

    @property
    def max_words(self) -> int:
        """Words in one prompt, at most."""
        return self._settings.max_words

    def longest(self, length: Callable[[str], int]) -> list[str]:
        """As many of the longest words as a prompt may hold, the longest last."""
        return sorted(self._words, key=length)[-self._settings.max_words :]

    def said(self, text: str) -> list[str]:
        """The words that stand in `text`, not inside longer words."""
        found = {
            word: None
            for start in range(len(text) - 1)
            for word in self._by_start.get(text[start : start + 2], ())
            if text.startswith(word, start) and _whole(text, start, start + len(word))
        }
        return list(found)

    def draw(self, epoch: int, key: str, text: str) -> list[str]:
        """Hotwords for an utterance of this text: none, or up to `max_words`, of which any number is said."""
        random = np.random.default_rng([self._seed, epoch, zlib.crc32(key.encode()), 3])
        if random.random() >= self._settings.share:
            return []
        count = int(random.integers(1, self._settings.max_words + 1))
        said = self.said(text)
        wanted = int(random.integers(min(len(said), count) + 1))
        chosen = [said[i] for i in random.permutation(len(said))[:wanted]]
        others = (self._words[i] for i in random.integers(len(self._words), size=2 * count))
        chosen += [word for word in dict.fromkeys(others) if word not in text][: count - wanted]
        return [chosen[i] for i in random.permutation(len(chosen))]


def _whole(text: str, start: int, end: int) -> bool:
    """Whether no letter continues the letters at the ends of text[start:end]."""

    def joined(at: int) -> bool:
        return 0 < at < len(text) and bool(_LETTER.match(text[at - 1]) and _LETTER.match(text[at]))

    return not joined(start) and not joined(end)


def words_of(settings: HotwordSettings, seed: int, texts: Iterable[str]) -> list[str]:
    """The words that are drawn from: those of the file, or rare ones of `texts`. RecipeError if there are none."""
    words = settings.words() if settings.file else rare_words(texts, seed)
    if not words:
        raise RecipeError("augment.hotwords: no words in the transcripts; name some in augment.hotwords.file")
    return words


def rare_words(texts: Iterable[str], seed: int) -> list[str]:
    """Of each text the word with the rarest part, where a part is a word of letters or a Chinese character; of
    characters that no spaces divide, two to four around the rarest. Parts of all texts are held meanwhile: give it
    `MOST_TEXTS` at most."""
    pieces = [_PIECES.findall(text) for text in texts]
    counts = Counter(part for found in pieces for part in {part for piece in found for part in _parts(piece)})
    random = np.random.default_rng([seed, 3])
    words = {}
    for found in pieces:
        if found:
            piece = min(found, key=lambda piece: min(counts[part] for part in _parts(piece)))
            words[_cut(piece, counts, random)] = None
    return list(words)[:: len(words) // _MOST_WORDS + 1]


def _parts(piece: str) -> Iterable[str]:
    return [piece] if _LETTER.match(piece) else piece


def _cut(piece: str, counts: Counter, random: np.random.Generator) -> str:
    if _LETTER.match(piece):
        return piece
    length = min(len(piece), int(random.integers(2, _LONGEST_JOINED + 1)))
    rarest = min(range(len(piece)), key=lambda at: counts[piece[at]])
    start = int(np.clip(rarest - random.integers(length), 0, len(piece) - length))
    return piece[start : start + length]
