"""What is checked of an utterance."""

import re
import unicodedata
from functools import lru_cache

from recipe.audio import fetch, headers
from recipe.audio.fetch import DEFAULT, FetchPolicy
from recipe.audio.headers import AudioError, AudioInfo
from recipe.data import datadir, manifest
from recipe.data.join import Entry
from recipe.settings.data import AVERAGE, Checks

MIN_SECONDS = 400 / 16000  # a shorter waveform gives no whole 25 ms frame
END_TOLERANCE = 0.05  # seconds that a segment may reach beyond its recording; rounding in the tables
# Formats whose headers state the exact number of samples; those of MP3 and Ogg may differ by an encoder's delay.
LOSSY_TOLERANCE = 0.02  # of the length, or ...
LOSSY_SAMPLES = 4800  # ... samples, where that is more

Problem = tuple[str, str]  # reason, detail


# Controls, private use, noncharacters, and the mark that a decoder leaves where bytes made no sense.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\uf8ff\ufdd0-\ufdef\ufffd-\uffff\U000f0000-\U0010ffff]")


def check_text(text: str | None, non_nfc: str = "reject") -> Problem | None:
    """The (reason, detail) for which a transcript is refused, or None."""
    if text is None:
        return "transcript-missing", "no transcript for this key"
    if not text or text.isspace():
        return "transcript-empty", "the transcript has no text"
    if not text.isascii() or not text.isprintable():
        if found := _FORBIDDEN.search(text):
            reason = "replacement-character" if found[0] == "\ufffd" else "control-character"
            return reason, f"U+{ord(found[0]):04X} at character {found.start() + 1}"
        if non_nfc == "reject" and not unicodedata.is_normalized("NFC", text):
            return "text-not-nfc", "letters and their marks are apart; convert the text to NFC, or set non_nfc: convert"
    return None


def check(
    entry: Entry, checks: Checks, scp_file: str | None, fetch_policy: FetchPolicy = DEFAULT
) -> manifest.Utterance | Problem:
    """The manifest's utterance of an entry, its tokens not counted yet, or the reason of its rejection. Relative paths
    count from the folder of `scp_file`, or with None from the working directory."""
    problem = entry.problem or check_text(entry.text, checks.non_nfc)
    if problem:
        return problem
    source = entry.source if scp_file is None else datadir.resolve(entry.source, scp_file)
    try:
        info = (
            _measured(source, entry, checks, fetch_policy) if checks.verify == "full" else _header(source, fetch_policy)
        )
        seconds = length(entry, info.samples / info.rate)
    except AudioError as error:
        return error.reason, error.detail
    if info.incomplete:
        return "audio-truncated", f"{source}: {info.incomplete}"
    problem = _check_length(info, seconds, source, checks)
    if problem:
        return problem
    text = entry.text if checks.non_nfc == "reject" else unicodedata.normalize("NFC", entry.text)
    channel = checks.channel if info.channels > 1 and checks.channel != AVERAGE else None
    return manifest.Utterance(
        entry.key, source, entry.prompt, text, manifest.speech_length(seconds), 0, seconds, entry.after,
        entry.start, entry.end, channel, entry.speaker, entry.language, entry.group,
    )  # fmt: skip


def length(entry: Entry, seconds: float) -> float:
    """Seconds of an entry's part of a recording of `seconds`. AudioError if it reaches beyond its end."""
    if not entry.start and entry.end is None:
        return seconds
    end = seconds if entry.end is None else min(entry.end, seconds)
    if (entry.end is not None and entry.end > seconds + END_TOLERANCE) or entry.start >= seconds:
        detail = f"{entry.start:g} to {entry.end} s of a recording of {seconds:.3f} s"
        raise AudioError("segment-beyond-end", detail)
    return end - entry.start


def _check_length(info: AudioInfo, seconds: float, source: str, checks: Checks) -> Problem | None:
    if info.samples == 0:
        return "audio-empty", f"{source}: no samples"
    if seconds < checks.min_seconds or seconds < MIN_SECONDS:
        return "audio-too-short", f"{seconds:.3f} s, at least {max(checks.min_seconds, MIN_SECONDS):g} s needed"
    if seconds > checks.max_seconds:
        return "audio-too-long", f"{seconds:.3f} s, at most {checks.max_seconds:g} s allowed"
    if checks.channel != AVERAGE and 1 < info.channels <= int(checks.channel):
        return "channel-missing", f"{source}: {info.channels} channels, asked for index {checks.channel}"
    return None


def _header(source: str, fetch_policy: FetchPolicy) -> AudioInfo:
    last = source[-1:]
    if source[:4] not in ("http", "HTTP") and not last.isdigit() and last not in "| ":
        return headers.probe_file(source)
    return _other_header(source, fetch_policy)


@lru_cache(maxsize=64)
def _other_header(source: str, fetch_policy: FetchPolicy) -> AudioInfo:
    """Arks, URLs and commands; kept, because the segments of a recording follow one another."""
    from recipe.audio import reading as audio

    return audio.probe(source, fetch_policy)


def _measured(source: str, entry: Entry, checks: Checks, fetch_policy: FetchPolicy) -> AudioInfo:
    """Decode an utterance and check the samples; the recording's length as the header states it."""
    from recipe.audio import reading as audio

    command = fetch.is_command(source)
    info = None if command else _header(source, fetch_policy)
    end = entry.end
    if info is not None:
        seconds = info.samples / info.rate
        if seconds - entry.start > checks.max_seconds and (end is None or end - entry.start > checks.max_seconds):
            return info  # too long by its header; not worth decoding
    waveform, rate = audio.read_part(source, entry.start, end, fetch_policy)
    if info is None:
        info = AudioInfo(round(entry.start * rate) + len(waveform), rate, waveform.shape[1])
    else:
        _compare(info, waveform, rate, entry, source)
    if len(waveform):
        _check_levels(audio.levels(audio.one_channel(waveform, checks.channel, source)), checks, source)
    return info


def _compare(info: AudioInfo, waveform, rate: int, entry: Entry, source: str) -> None:
    if (rate, waveform.shape[1]) != (info.rate, info.channels):
        found = f"{rate} Hz and {waveform.shape[1]} channels"
        raise AudioError("header-mismatch", f"{source}: {info.rate} Hz and {info.channels} channels, decoded {found}")
    end = info.samples if entry.end is None else min(info.samples, round(entry.end * rate))
    expected = max(0, end - round(entry.start * rate))
    exact = not source.lower().endswith((".mp3", ".ogg", ".opus", ".oga"))
    allowed = 0 if exact else max(LOSSY_SAMPLES, expected * LOSSY_TOLERANCE)
    if abs(expected - len(waveform)) > allowed:
        reason = "audio-truncated" if len(waveform) < expected else "header-mismatch"
        raise AudioError(reason, f"{source}: {expected} samples stated, {len(waveform)} decoded")


def _check_levels(levels, checks: Checks, source: str) -> None:
    if not levels.finite:
        raise AudioError("audio-not-finite", f"{source}: NaN or infinite samples")
    if levels.rms_db < checks.silence_db:
        raise AudioError("audio-silent", f"{source}: {levels.rms_db:.1f} dB, at least {checks.silence_db:g} needed")
    if levels.clipped > checks.max_clipped:
        raise AudioError(
            "audio-clipped",
            f"{source}: {levels.clipped:.1%} of samples at full scale, at most {checks.max_clipped:.1%}",
        )
