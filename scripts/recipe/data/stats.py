"""Statistics of a manifest: how much of what there is, and the mean and variance of the fbank bins.

Counts come from the manifest and cover every utterance; levels and fbank statistics need the audio and cover a sample
of settable size, spread evenly over the manifest. Memory does not grow with the manifest, and the result is the same
for any number of workers.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np

from recipe.audio import reading as audio
from recipe.audio.fetch import DEFAULT, FetchPolicy
from recipe.audio.noise import speech_to_noise
from recipe.audio.reading import AudioError
from recipe.data.advice import advise
from recipe.data.manifest import Utterance
from recipe.data.workers import map_chunks

SOUND_HEADER = "key\tlevel_db\tspeech_over_noise_db"  # RMS of full scale; see audio.noise.speech_to_noise
CHUNK = 50  # utterances that a worker reads at a time
SILENT_DB = -60.0  # RMS level of an utterance that counts as silent
SILENT_FRAME_DB = 40.0  # below the loudest 10 ms: silence within an utterance
_FRAME = 160  # samples, 10 ms

DURATION_EDGES = [0, 0.5, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 60, 120]
TOKEN_EDGES = [0, 2, 4, 6, 8, 10, 15, 20, 30, 50, 75, 100, 200, 500]
RATE_EDGES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 40]
LEVEL_EDGES = [-100, -70, -60, -50, -45, -40, -35, -30, -25, -20, -15, -10, 0]
SHARE_EDGES = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
CLIPPED_EDGES = [0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1]  # the first bin: not clipped


# --- Distributions ------------------------------------------------------------------------------------------------


class Distribution:
    """Values kept to two decimals and counted: exact enough for every quantile, and of bounded size."""

    def __init__(self, edges: Sequence[float]):
        self._edges = edges
        self._counts: Counter = Counter()
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[round(value * 100)] += 1
        self._sum += value

    def summary(self) -> dict:
        """Mean, extremes and quantiles, rounded for reading; empty without values."""
        total = self._counts.total()
        if not total:
            return {}
        places = sorted(self._counts)
        named = {"mean": round(self._sum / total, 4), "min": places[0] / 100}
        named |= {name: self._quantile(places, total * q) for name, q in (("p5", 0.05), ("median", 0.5), ("p95", 0.95))}
        return named | {"max": places[-1] / 100}

    def _quantile(self, places: list[int], rank: float) -> float:
        for place in places:
            rank -= self._counts[place]
            if rank <= 0:
                return place / 100
        return places[-1] / 100

    def histogram(self) -> dict:
        """Counts between edges; the last bin holds everything above as well."""
        values = np.array(list(self._counts), dtype=float) / 100
        weights = np.array(list(self._counts.values()), dtype=float)
        return histogram(values, self._edges, weights)


def histogram(values: Sequence[float], edges: Sequence[float], weights: Sequence[float] | None = None) -> dict:
    """Counts between edges; the first and last bins hold what lies outside as well."""
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges, weights=weights)
    return {"edges": list(edges), "counts": [int(count) for count in counts]}


class Tally:
    """Utterances, hours, frames and tokens of a set or of a part of it."""

    __slots__ = ("frames", "seconds", "tokens", "utterances")

    def __init__(self):
        self.utterances = self.frames = self.tokens = 0
        self.seconds = 0.0

    def add(self, utterance: Utterance) -> None:
        self.utterances += 1
        self.frames += utterance.speech_length
        self.tokens += utterance.text_length
        self.seconds += utterance.duration

    def to_json(self) -> dict:
        return {
            "utterances": self.utterances,
            "hours": round(self.seconds / 3600, 4),
            "frames": self.frames,
            "tokens": self.tokens,
            "seconds_per_utterance": round(self.seconds / max(1, self.utterances), 4),
            "tokens_per_second": round(self.tokens / self.seconds, 4) if self.seconds else 0.0,
        }


_PARTS = ("language", "speaker", "group")


def describe(utterances: Iterable[Utterance]) -> dict:
    """Utterances, hours, tokens and their distributions, as a whole and by language, speaker and group."""
    whole = Tally()
    durations, tokens, rates = Distribution(DURATION_EDGES), Distribution(TOKEN_EDGES), Distribution(RATE_EDGES)
    parts: dict[str, dict[str, Tally]] = {name: {} for name in _PARTS}
    for utterance in utterances:
        whole.add(utterance)
        durations.add(utterance.duration)
        tokens.add(utterance.text_length)
        if utterance.duration > 0:
            rates.add(utterance.text_length / utterance.duration)
        for name, found in parts.items():
            if (value := getattr(utterance, name)) is not None:
                found.setdefault(value, Tally()).add(utterance)
    named = {"duration_seconds": durations, "tokens_per_utterance": tokens, "tokens_per_second": rates}
    counted = whole.to_json()
    for name in ("seconds_per_utterance", "tokens_per_second"):
        del counted[name]  # the distributions below say more
    return {
        **counted,
        **{name: found.summary() for name, found in named.items()},
        "histograms": {name: found.histogram() for name, found in named.items()},
        **{f"by_{name}": {value: found[value].to_json() for value in sorted(found)} for name, found in parts.items()},
        "advice": advise(whole.seconds / 3600),
    }


# --- Audio --------------------------------------------------------------------------------------------------------


def evenly(items: Iterable[Utterance], total: int, sample: int) -> Iterator[Utterance]:
    """At most `sample` of `total` items (0: all), spread evenly."""
    wanted = min(sample or total, total)
    for i, item in enumerate(items):
        if (i + 1) * wanted // total > i * wanted // total:
            yield item


def _measure(rows: list[tuple], fetch_policy: FetchPolicy) -> list[tuple]:
    """(frames, sums of the bins, sums of their squares, level in dB, clipped share, silent share, key, dB of speech
    over noise) of each (key, source, start, end, channel), or (key, error)."""
    results = []
    for key, source, start, end, channel in rows:
        try:
            where = "average" if channel is None else channel
            # Test sets may have recordings that lack their end; of training sets the data stage has rejected them.
            waveform = audio.read(
                source, start=start, end=end, channel=where, fetch_policy=fetch_policy, incomplete=True
            )
            results.append((*_sums(waveform), key, speech_to_noise(waveform)))
        except AudioError as error:
            results.append((key, str(error)))
    return results


def _sums(waveform: np.ndarray) -> tuple:
    from recipe.audio.fbank import BINS, fbank

    levels = audio.levels(waveform)
    found = np.zeros((0, BINS))
    if len(waveform) >= audio.MIN_SAMPLES and levels.finite:
        found = fbank(waveform).astype(np.float64)
        if not np.isfinite(found).all():  # as training does, which leaves the utterance out
            raise AudioError("audio-not-finite", "samples so large that the features are not finite")
    return (
        len(found), found.sum(axis=0).tobytes(), np.square(found).sum(axis=0).tobytes(),
        levels.rms_db, levels.clipped, silent_share(waveform),
    )  # fmt: skip


def silent_share(waveform: np.ndarray) -> float:
    """Share of the 10 ms frames of a 16 kHz waveform that lie SILENT_FRAME_DB under the loudest, or under SILENT_DB."""
    frames = waveform[: len(waveform) // _FRAME * _FRAME].reshape(-1, _FRAME)
    if not len(frames) or not np.isfinite(frames).all():
        return 1.0
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    least = max(power.max() * 10 ** (-SILENT_FRAME_DB / 10), 10 ** (SILENT_DB / 10))
    return float(np.mean(power < least))


def fbank_statistics(
    utterances: Iterable[Utterance],
    workers: int = 1,
    fetch_policy: FetchPolicy = DEFAULT,
    tell: Callable[[str], object] = lambda line: None,
) -> tuple[dict, np.ndarray]:
    """Statistics of the audio of utterances, and the Kaldi CMVN matrix [2, 81]: sums and frame count, then sums of
    squares and 0. `tell` is given a line of SOUND_HEADER's columns of each utterance that could be read, in their
    order."""
    work = partial(_measure, fetch_policy=fetch_policy)
    levels, clipped, silence = Distribution(LEVEL_EDGES), Counter(), Distribution(SHARE_EDGES)
    frames, read, silent, failed = 0, 0, 0, []
    total, squares = np.zeros(80), np.zeros(80)
    for results in map_chunks(work, _rows(utterances), workers, lambda row: (row[0], "decoder-crashed")):
        for result in results:
            if len(result) == 2:
                failed.append({"key": result[0], "error": result[1]})
                continue
            read += 1
            frames += result[0]
            total += np.frombuffer(result[1])
            squares += np.frombuffer(result[2])
            levels.add(result[3])
            silent += result[3] <= SILENT_DB
            clipped[_clipped_bin(result[4])] += 1
            silence.add(result[5])
            tell(_sound_line(result[6], result[3], result[7]))
    mean = total / max(1, frames)
    variance = np.maximum(squares / max(1, frames) - mean**2, 0.0)
    return {
        "sampled_utterances": read + len(failed),
        "frames": frames,
        "fbank_mean": [round(float(v), 5) for v in mean],
        "fbank_variance": [round(float(v), 5) for v in variance],
        "level_db": levels.summary(),
        "level_histogram": levels.histogram(),
        "silence_histogram": silence.histogram(),
        "clipped_histogram": {
            "edges": CLIPPED_EDGES,
            "counts": [clipped[place] for place in range(len(CLIPPED_EDGES) - 1)],
        },
        "clipped_utterances": read - clipped[0],
        "silent_utterances": silent,
        "unreadable": failed,
    }, np.stack([np.append(total, frames), np.append(squares, 0.0)])


def _sound_line(key: str, level_db: float, noise_db: float | None) -> str:
    level = f"{level_db:.1f}" if math.isfinite(level_db) else ""
    return f"{key}\t{level}\t{'' if noise_db is None else f'{noise_db:.1f}'}"


def _clipped_bin(share: float) -> int:
    return max(0, min(len(CLIPPED_EDGES) - 2, math.floor(math.log10(share)) + 7)) if share >= 1e-6 else 0


def _rows(utterances: Iterable[Utterance]) -> Iterator[list[tuple]]:
    chunk = []
    for u in utterances:
        chunk.append((u.key, u.source, u.start, u.end, u.channel))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
