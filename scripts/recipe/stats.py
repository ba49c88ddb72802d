"""Statistics of a manifest: how much of what there is, and the mean and variance of the fbank bins.

Counts come from the manifest and cover every utterance; levels and fbank statistics need the audio and cover a sample
of settable size, spread evenly over the manifest. The result is the same for any number of workers.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np

from recipe import audio
from recipe.audio import AudioError
from recipe.manifest import Utterance

CHUNK = 50  # utterances summed by one worker at a time; fixed, so that sums are rounded alike for any number of them
CLIPPED = 0.999  # of full scale
FLOOR_DB = -100.0

DURATION_EDGES = [0, 0.5, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 60, 120]
TOKEN_EDGES = [0, 2, 4, 6, 8, 10, 15, 20, 30, 50, 75, 100, 200, 500]
RATE_EDGES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 40]
LEVEL_EDGES = [-100, -70, -60, -50, -45, -40, -35, -30, -25, -20, -15, -10, 0]


def histogram(values: Sequence[float], edges: Sequence[float]) -> dict:
    """Counts between edges; the last bin holds everything above as well."""
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
    return {"edges": list(edges), "counts": counts.tolist()}


def summary(values: Sequence[float]) -> dict:
    """Mean, extremes and quantiles, rounded for reading."""
    if not len(values):
        return {}
    low, median, high = np.quantile(values, [0.05, 0.5, 0.95])
    named = {
        "mean": np.mean(values),
        "min": np.min(values),
        "p5": low,
        "median": median,
        "p95": high,
        "max": np.max(values),
    }
    return {name: round(float(value), 4) for name, value in named.items()}


def describe(utterances: Sequence[Utterance]) -> dict:
    """Utterances, hours, tokens and their distributions, as a whole and by language, speaker and group."""
    durations = [u.duration for u in utterances]
    tokens = [u.text_length for u in utterances]
    rates = [n / seconds for n, seconds in zip(tokens, durations, strict=True) if seconds > 0]
    return {
        **_counts(utterances),
        "frames": sum(u.speech_length for u in utterances),
        "duration_seconds": summary(durations),
        "tokens_per_utterance": summary(tokens),
        "tokens_per_second": summary(rates),
        "histograms": {
            "duration_seconds": histogram(durations, DURATION_EDGES),
            "tokens_per_utterance": histogram(tokens, TOKEN_EDGES),
            "tokens_per_second": histogram(rates, RATE_EDGES),
        },
        "by_language": _by(utterances, "language"),
        "by_speaker": _by(utterances, "speaker"),
        "by_group": _by(utterances, "group"),
    }


def _counts(utterances: Sequence[Utterance]) -> dict:
    seconds = sum(u.duration for u in utterances)
    tokens = sum(u.text_length for u in utterances)
    return {"utterances": len(utterances), "hours": round(seconds / 3600, 4), "tokens": tokens}


def _by(utterances: Iterable[Utterance], name: str) -> dict:
    groups: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        if (value := getattr(utterance, name)) is not None:
            groups.setdefault(value, []).append(utterance)
    return {value: _counts(groups[value]) for value in sorted(groups)}


class Sums(NamedTuple):
    """Sums over a chunk of utterances; `total` and `squares` are [80]."""

    frames: int
    total: np.ndarray
    squares: np.ndarray
    levels: list[float]
    clipped: list[float]
    failed: list[tuple[str, str]]


def measure(utterances: Sequence[Utterance]) -> Sums:
    """Sum fbank bins, and measure level (dB of full scale, RMS) and share of clipped samples of each utterance."""
    from recipe.fbank import BINS, fbank

    frames, total, squares = 0, np.zeros(BINS), np.zeros(BINS)
    levels, clipped, failed = [], [], []
    for utterance in utterances:
        try:
            waveform = audio.read(utterance.source, start=utterance.start, end=utterance.end)
        except AudioError as error:
            failed.append((utterance.key, str(error)))
            continue
        power = float(np.mean(np.square(waveform, dtype=np.float64)))
        levels.append(max(FLOOR_DB, 10 * np.log10(power)) if power else FLOOR_DB)
        clipped.append(float(np.mean(np.abs(waveform) >= CLIPPED)))
        if len(waveform) >= audio.MIN_SAMPLES:
            bins = fbank(waveform).astype(np.float64)
            frames += len(bins)
            total += bins.sum(axis=0)
            squares += np.square(bins).sum(axis=0)
    return Sums(frames, total, squares, levels, clipped, failed)


def fbank_statistics(utterances: Sequence[Utterance], sample: int, workers: int = 1) -> tuple[dict, np.ndarray]:
    """Statistics of the audio of at most `sample` utterances (0: all), and the Kaldi CMVN matrix [2, 81]: sums and
    frame count, then sums of squares and 0."""
    step = max(1, len(utterances) // sample) if sample else 1
    chosen = list(utterances)[::step][: sample or None]
    chunks = [chosen[i : i + CHUNK] for i in range(0, len(chosen), CHUNK)]
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            parts = list(pool.map(measure, chunks))
    else:
        parts = [measure(chunk) for chunk in chunks]
    frames = sum(part.frames for part in parts)
    total = sum((part.total for part in parts), np.zeros(80))
    squares = sum((part.squares for part in parts), np.zeros(80))
    mean = total / max(1, frames)
    variance = np.maximum(squares / max(1, frames) - mean**2, 0.0)
    levels = [level for part in parts for level in part.levels]
    clipped = [share for part in parts for share in part.clipped]
    failed = [failure for part in parts for failure in part.failed]
    cmvn = np.stack([np.append(total, frames), np.append(squares, 0.0)])
    return {
        "sampled_utterances": len(chosen),
        "frames": frames,
        "fbank_mean": [round(float(v), 5) for v in mean],
        "fbank_variance": [round(float(v), 5) for v in variance],
        "level_db": summary(levels),
        "level_histogram": histogram(levels, LEVEL_EDGES),
        "clipped_utterances": sum(1 for share in clipped if share > 0),
        "silent_utterances": sum(1 for level in levels if level <= -60),
        "unreadable": [{"key": key, "error": error} for key, error in failed],
    }, cmvn
