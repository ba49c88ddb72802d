"""What of a run's manifests fits, made into the tables of its sets by the first process.

It looks at the manifests' indexes, a part at a time; lines are read of what is left out, and of the transcripts that
hotwords are taken from.
"""

import bisect
import itertools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from recipe.audio.reading import MIN_SAMPLES, SAMPLING_RATE
from recipe.data.checked import REJECTS_HEADER
from recipe.data.index import ManifestIndex
from recipe.files import RecipeError, make_folder, write_lines
from recipe.model.features import FRAME_SECONDS, FrontEnd
from recipe.model.generate import Limits
from recipe.model.network import Recognizer, audio_token_count
from recipe.settings.train import TrainSettings
from recipe.train import preflight, table
from recipe.train.dataset import ENCODER_FRAMES, listed, most_frames
from recipe.train.hotwords import MOST_TEXTS, HotwordSampler, words_of
from recipe.train.left_out import Reject, reject_line
from recipe.train.table import UtteranceTable

logger = logging.getLogger(__name__)

# Why an utterance is left out; 0 is kept.
_LONG, _SHORT, _POSITIONS = 1, 2, 3
_REASONS = {_LONG: "audio-too-long", _SHORT: "audio-too-short", _POSITIONS: "prompt-too-long"}


def tables(
    recognizer: Recognizer,
    settings: TrainSettings,
    manifests: tuple[Sequence[ManifestIndex], Sequence[ManifestIndex]],
    rejects_file: Path,
    folder: Path,
) -> tuple[UtteranceTable, UtteranceTable, list[str]]:
    """Tables of training and validation set, in `folder`, and the words that hotwords are drawn from. What does not fit
    is listed in `rejects_file`. RecipeError if nothing does."""
    front_end = FrontEnd(recognizer)
    limit = min(ENCODER_FRAMES, preflight.frames_of(settings) or ENCODER_FRAMES)
    fits = Fit(recognizer, limit, settings.augment.speeds, None), Fit(recognizer, ENCODER_FRAMES, [1.0], Limits())
    train, valid = ([Part(manifest, fit) for manifest in part] for part, fit in zip(manifests, fits, strict=True))
    everything = [*train, *valid]
    for part in everything:
        part.leave_out_by_length()
    _tell(everything, rejects_file, _LONG, _SHORT)
    for parts in (train, valid):
        if all(part.why.all() for part in parts):
            some = any(part.why.any() for part in everything)
            paths = ", ".join(part.manifest.path for part in parts)
            raise RecipeError(f"{paths}: no utterances{' that are short enough' * some}")
    listing = settings.augment.hotwords
    words = words_of(listing, settings.seed, _texts(train)) if listing.share else []
    hotwords = HotwordSampler(listing, settings.seed, words)
    _leave_out_by_positions(train, front_end, hotwords)
    _leave_out_by_positions(valid, front_end, HotwordSampler(listing, settings.seed, []))
    if any((part.why == _POSITIONS).any() for part in everything):
        _tell(everything, rejects_file, _POSITIONS)
    return write_table(train, folder / "train"), write_table(valid, folder / "valid"), words


class Fit:
    """What fits into `limit` stacked frames and into the language model's positions, of utterances at all `speeds`."""

    def __init__(self, recognizer: Recognizer, limit: int, speeds: Sequence[float], limits: Limits | None):
        self.limit, self.slowest, self.fastest = limit, min(speeds), max(speeds)
        self.positions = recognizer.model.config.get_text_config().max_position_embeddings
        # By the number of stacked frames: tokens of the audio, and how many decoding may write.
        frames = range(ENCODER_FRAMES + 1)
        self._audio = np.array([audio_token_count(max(1, count), recognizer.audio_tokens) for count in frames])
        self._written = np.array([limits.tokens(count * FRAME_SECONDS) if limits else 0 for count in frames])

    def frames(self, rows: np.ndarray) -> np.ndarray:
        """The most stacked frames of utterances."""
        return most_frames(rows["frames"], self.slowest)

    def by_length(self, rows: np.ndarray) -> np.ndarray:
        """Why utterances are left out [n], by their length alone."""
        why = np.zeros(len(rows), np.uint8)
        if self.fastest > 1:
            why[rows["seconds"] * SAMPLING_RATE / self.fastest < MIN_SAMPLES + 1] = _SHORT
        why[self.frames(rows) > self.limit] = _LONG
        return why

    def tokens(self, rows: np.ndarray, contexts: np.ndarray) -> np.ndarray:
        """Tokens of prompt, audio and text [n], at most in any epoch, or with as much text as decoding may write, of
        utterances that fit by their length; `contexts` has those of each context."""
        frames = self.frames(rows)
        text = rows["tokens"].astype(np.int64) + 1  # and the token that ends it
        return contexts[rows["context"]] + self._audio[frames] + np.maximum(text, self._written[frames])


class Part:
    """A manifest's utterances, and which of them are left out, and why."""

    def __init__(self, manifest: ManifestIndex, fit: Fit):
        self.manifest, self.fit = manifest, fit
        self.why = np.zeros(len(manifest), np.uint8)
        # Tokens of each context, as it is and with the longest hotwords.
        self.bare = self.listed = np.zeros(0, np.int64)

    def blocks(self, why: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(numbers, rows) of utterances that are left out for a reason, or kept, some at a time."""
        for start, rows in self.manifest.blocks():
            chosen = np.flatnonzero(self.why[start : start + len(rows)] == why)
            if len(chosen):
                yield start + chosen, rows[chosen]

    def leave_out_by_length(self) -> None:
        for numbers, rows in self.blocks():
            self.why[numbers] = self.fit.by_length(rows)

    def count_contexts(self, front_end: FrontEnd, words: Sequence[str]) -> None:
        """Count the tokens of contexts, as they are and with these hotwords."""

        def counted() -> Iterator[tuple[int, int]]:
            for prompt, after in self.manifest.contexts():
                bare, longest = front_end.context_tokens(prompt, after), listed(prompt, words)
                yield bare, bare if longest == prompt else front_end.context_tokens(longest, after)

        self.bare, self.listed = np.fromiter(counted(), np.dtype((np.int64, 2))).T

    def rejects(self, *reasons: int) -> Iterator[Reject]:
        """What is left out for these reasons, in the order of the manifest."""
        for number in np.flatnonzero(np.isin(self.why, reasons)).tolist():
            row = self.manifest.row(number)
            key = self.manifest.read(int(row["offset"])).key
            yield Reject(key=key, reason=_REASONS[self.why[number]], detail=self._detail(self.why[number], row))

    def _detail(self, why: int, row: np.void) -> str:
        fit = self.fit
        if why == _LONG:
            seconds = int(fit.frames(row)) * FRAME_SECONDS
            return f"{seconds:.1f} s, at most {fit.limit * FRAME_SECONDS:.1f} s fit"
        if why == _SHORT:
            return f"{row['seconds']:.3f} s, played {fit.fastest:g} times as fast less than a frame"
        tokens = int(fit.tokens(row, self.listed))
        return f"{tokens} tokens of prompt, audio and text, the language model has {fit.positions} positions"


def _texts(parts: Sequence[Part]) -> Iterator[str]:
    """Transcripts of utterances that are kept: all, or `MOST_TEXTS` evenly over them."""
    total = sum(int((part.why == 0).sum()) for part in parts)
    wanted, place = min(total, MOST_TEXTS), 0
    for part in parts:
        for _, rows in part.blocks():
            places = np.arange(place, place + len(rows))
            chosen = (places + 1) * wanted // total > places * wanted // total
            yield from (part.manifest.read(offset).text for offset in rows["offset"][chosen].tolist())
            place += len(rows)


def _leave_out_by_positions(parts: Sequence[Part], front_end: FrontEnd, hotwords: HotwordSampler) -> None:
    """Leave out what does not fit into the positions of the language model. RecipeError if nothing does."""
    words, least = hotwords.longest(front_end.context_tokens), []
    for part in parts:
        part.count_contexts(front_end, words)
        for numbers, rows in part.blocks():
            tokens = part.fit.tokens(rows, part.listed)
            part.why[numbers[tokens > part.fit.positions]] = _POSITIONS
            least.append(int(tokens.min()))
    positions = parts[0].fit.positions
    if min(least) > positions:
        if words:
            _refuse_hotwords(parts, front_end, words, hotwords.max_words)
        raise RecipeError(
            f"no utterance fits into the language model's {positions} positions: the shortest has {min(least)} tokens "
            "of prompt, audio and text; shorten the prompts or their lists of hotwords"
        )


def _refuse_hotwords(parts: Sequence[Part], front_end: FrontEnd, words: Sequence[str], most: int) -> None:
    """RecipeError if utterances would fit into the positions, were it not for hotwords that they may get."""
    fitting = []  # the shortest and the longest of each block: tokens, part, row
    for part in parts:
        for _, rows in part.blocks(_POSITIONS):
            tokens = part.fit.tokens(rows, part.bare)
            places = np.flatnonzero(tokens <= part.fit.positions)
            ends = (places[tokens[places].argmin()], places[tokens[places].argmax()]) if len(places) else ()
            fitting += [(int(tokens[at]), part, rows[at]) for at in ends]
    if not fitting:
        return
    positions = parts[0].fit.positions
    shortest, longest = (
        _words_within(part, row, front_end, words, positions - tokens)
        for tokens, part, row in (choose(fitting, key=lambda one: one[0]) for choose in (min, max))
    )
    raise RecipeError(
        f"augment.hotwords: max_words is {most}, and with the longest words no utterance fits into the language "
        f"model's {positions} positions; beside the shortest one {shortest} words fit, beside the longest {longest}: "
        "lower max_words"
    )


def _words_within(part: Part, row: np.void, front_end: FrontEnd, words: Sequence[str], room: int) -> int:
    """How many of the longest hotwords add at most `room` tokens to an utterance's prompt."""
    utterance = part.manifest.read(int(row["offset"]))
    bare = front_end.context_tokens(utterance.prompt, utterance.after)

    def is_too_much(count: int) -> bool:
        prompt = listed(utterance.prompt, words[len(words) - count :])
        return front_end.context_tokens(prompt, utterance.after) - bare > room

    return bisect.bisect_left(range(1, len(words) + 1), True, key=is_too_much)


def write_table(parts: Sequence[Part], folder: Path) -> UtteranceTable:
    """The table of what is kept."""
    shortest = min(int(part.bare[rows["context"]].min()) for part in parts for _, rows in part.blocks())
    seconds, file = 0.0, make_folder(folder) / "rows"
    file.unlink(missing_ok=True)
    with open(file, "wb") as out:
        for number, part in enumerate(parts):
            for _, rows in part.blocks():
                made = np.empty(len(rows), table.ROW)
                made["offset"], made["key"], made["manifest"] = rows["offset"], rows["key"], number
                made["frames"] = most_frames(rows["frames"])
                made["text"] = rows["tokens"] + part.listed[rows["context"]] - shortest
                seconds += float(rows["seconds"].sum())
                out.write(made.tobytes())
    # And the token that ends a transcript.
    return UtteranceTable(file, [part.manifest for part in parts], shortest + 1, seconds)


# What is said of utterances that were rejected for a reason, and what can be done.
_ADVICE = {
    "audio-too-long": f"are too long and left out, listed in {{}}; raise batch_seconds (up to "
    f"{ENCODER_FRAMES * FRAME_SECONDS:.0f}), cut them into segments, or lower data.max_seconds",
    "audio-too-short": "are too short for augment.speeds and left out, listed in {}; raise data.min_seconds",
    "prompt-too-long": "have more tokens than the language model has positions and are left out, listed in {}; shorten "
    "their prompts or lists of hotwords",
}


def _tell(parts: Sequence[Part], rejects_file: Path, *reasons: int) -> None:
    """List what is left out, and say how many for which of these reasons."""
    groups = [(_LONG, _SHORT)] + [(_POSITIONS,)] * (_POSITIONS in reasons)
    rejects = (reject for group in groups for part in parts for reject in part.rejects(*group))
    write_lines(rejects_file, itertools.chain([REJECTS_HEADER], map(reject_line, rejects)))
    for reason in reasons:
        count = sum(int((part.why == reason).sum()) for part in parts)
        if count:
            logger.warning("%d utterances %s", count, _ADVICE[_REASONS[reason]].format(rejects_file))
