"""What is checked of an utterance."""

import math
import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

from recipe.audio import headers
from recipe.audio.address import is_command
from recipe.audio.fetch import DEFAULT, FetchPolicy
from recipe.audio.headers import AudioError, AudioInfo
from recipe.audio.info import lossy_tolerance
from recipe.data import datadir, manifest
from recipe.data.join import Entry
from recipe.settings.data import AVERAGE, Checks
from recipe.settings.section import AUTO
from recipe.text import prompt, tables
from recipe.text.markup import INVISIBLE, Content

MIN_SECONDS = 400 / 16000  # a shorter waveform gives no whole 25 ms frame
MAX_OVERSHOOT = 0.5  # seconds that a segment may end behind its recording, as in Kaldi's extract-segments

Problem = tuple[str, str]  # reason, detail


IS_THE_KEY, IS_THE_SPEAKER = "transcript-is-the-key", "transcript-is-the-speaker"  # remarks
# Controls, private use, noncharacters, and the mark that a decoder leaves where bytes made no sense.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\uf8ff\ufdd0-\ufdef\ufffd-\uffff\U000f0000-\U0010ffff]")
_LINE_ENDS = re.compile("[\t\r\n]")


@dataclass(frozen=True)
class CheckPolicy:
    """How entries are checked. Relative paths count from the folder of `scp_file` (None: from here).

    What is for `scoring` has only to be readable: limits that protect training (length, level, rate of speech, empty or
    marked-up transcripts) do not hold for it, and a recording that lacks its end is taken as far as it goes.
    """

    checks: Checks
    scp_file: str | None = None
    fetch_policy: FetchPolicy = DEFAULT
    scoring: bool = False
    content: Content = field(default_factory=Content)  # what in transcripts is not said, for the model's tokenizer

    @property
    def rates(self) -> tuple[float | str, float | str]:
        """Least and most tokens of a transcript per second of audio; AUTO is to be learned from the set."""
        if self.scoring:
            return 0.0, math.inf
        return self.checks.min_tokens_per_second, self.checks.max_tokens_per_second

    @property
    def learns(self) -> bool:
        """Whether a limit of the speech rate is learned from the set."""
        return AUTO in self.rates


class _Unfit(Exception):
    """An entry that is rejected: `problem`."""

    def __init__(self, reason: str, detail: str):
        super().__init__(reason, detail)
        self.problem = reason, detail


def check(entry: Entry, policy: CheckPolicy) -> tuple[manifest.Utterance | None, list[Problem]]:
    """The manifest's utterance of an entry, its tokens not counted yet, and what is to be remarked about it; or None
    and the one reason of its rejection."""
    try:
        return _utterance(entry, policy)
    except _Unfit as unfit:
        return None, [unfit.problem]
    except AudioError as error:
        return None, [(error.reason, error.detail)]


def _utterance(entry: Entry, policy: CheckPolicy) -> tuple[manifest.Utterance, list[Problem]]:
    if entry.problem:
        raise _Unfit(*entry.problem)
    if wrong := tables.key_problem(entry.key):
        raise _Unfit("key-invalid", wrong)
    text, remarks = check_text(entry.text, policy)
    if text and text in (entry.key, entry.speaker):
        remarks.append((IS_THE_KEY if text == entry.key else IS_THE_SPEAKER, text))
    if wrong := prompt.problem(entry.prompt, entry.after, policy.content.special_tokens):
        raise _Unfit("prompt-special-token", wrong)
    source = entry.source if policy.scp_file is None else datadir.resolve(entry.source, policy.scp_file)
    info = _measured(source, entry, policy) if policy.checks.verify == "full" else header(source, policy.fetch_policy)
    seconds, end, found = part(entry, info, policy.scoring)
    found += _check_length(info, seconds, source, policy)
    channel = _channel(entry, info, source, policy.checks)
    return manifest.Utterance(
        entry.key, source, entry.prompt, text, manifest.speech_length(seconds), 0, seconds, entry.after,
        entry.start, end, channel, entry.speaker, entry.language, entry.group, entry.recording,
    ), remarks + found  # fmt: skip


# --- Text ---------------------------------------------------------------------------------------------------------


def check_text(text: str | None, policy: CheckPolicy) -> tuple[str, list[Problem]]:
    """A transcript as it is used, and what is to be remarked about it."""
    if text is None:
        raise _Unfit("transcript-missing", "no transcript for this key")
    text, remarks = _cleaned(text, policy)
    if not text.isascii() or not text.isprintable():
        # What is scored may be in several lines: they are joined when texts are normalized.
        if found := _FORBIDDEN.search(_LINE_ENDS.sub(" ", text) if policy.scoring else text):
            reason = "replacement-character" if found[0] == "\ufffd" else "control-character"
            raise _Unfit(reason, f"U+{ord(found[0]):04X} at character {found.start() + 1}")
        text = _composed(text, policy)
    if not policy.scoring and (not text or text.isspace()):
        raise _Unfit("transcript-empty", "the transcript has no text")
    return text, remarks


def _cleaned(text: str, policy: CheckPolicy) -> tuple[str, list[Problem]]:
    """A transcript without what in it is not said, as far as the settings say so, and remarks on what was there. What
    is scored is never rejected for it: what would be stays."""
    found = policy.content.findings(text)
    actions = {kind: policy.checks.policy(kind) for kind, _ in found}
    for kind, what in () if policy.scoring else found:
        if actions[kind] == "reject":
            name = "invisible" if kind == INVISIBLE else "markup"
            raise _Unfit(kind, f"{what} in the transcript; take it out, or set {name}: remove")
    removed = [kind for kind, action in actions.items() if action == "remove"]
    remarks = [
        (f"{kind}-removed" if kind in removed else kind, ", ".join(what for other, what in found if other == kind))
        for kind in actions
    ]
    return policy.content.removed(text, removed) if removed else text, remarks


def _composed(text: str, policy: CheckPolicy) -> str:
    """A text in NFC if that is asked for; what is scored is compared in NFC anyway."""
    if policy.checks.non_nfc == "convert":
        return unicodedata.normalize("NFC", text)
    if not policy.scoring and not unicodedata.is_normalized("NFC", text):
        detail = "letters and their marks are apart; convert the text to NFC, or set non_nfc: convert"
        raise _Unfit("text-not-nfc", detail)
    return text


# --- Audio --------------------------------------------------------------------------------------------------------


def part(entry: Entry, info: AudioInfo, scoring: bool) -> tuple[float, float | None, list[Problem]]:
    """Seconds of an entry's part of a recording, its end in it (None: that of the recording), and what is to be
    remarked about it. AudioError where it reaches into what is missing of the recording, unless for `scoring`."""
    reaches_end = entry.end is None or entry.end > info.seconds
    if info.incomplete and reaches_end:
        if not scoring:
            raise AudioError("audio-truncated", info.incomplete)
        if entry.start < info.seconds:
            return info.seconds - entry.start, None, [("incomplete-recording", info.incomplete)]
    seconds = length(entry, info.seconds)
    if entry.end is None or not reaches_end:
        return seconds, entry.end, []
    return seconds, None, [("segment-trimmed", f"ends {entry.end - info.seconds:.3f} s behind the recording")]


def length(entry: Entry, seconds: float) -> float:
    """Seconds of an entry's part of a recording of `seconds`. AudioError if it begins behind its end, or ends more than
    MAX_OVERSHOOT behind it; an end that is nearer counts as the recording's."""
    if not entry.start and entry.end is None:
        return seconds
    end = seconds if entry.end is None else min(entry.end, seconds)
    if (entry.end is not None and entry.end > seconds + MAX_OVERSHOOT) or entry.start >= seconds:
        detail = f"{entry.start:g} to {entry.end} s of a recording of {seconds:.3f} s"
        raise AudioError("segment-beyond-end", detail)
    return end - entry.start


def _check_length(info: AudioInfo, seconds: float, source: str, policy: CheckPolicy) -> list[Problem]:
    """What is to be remarked about an utterance's length, by which one to train on may be unfit."""
    if info.samples == 0:
        raise AudioError("audio-empty", f"{source}: no samples")
    if policy.scoring:
        detail = f"{seconds:.4f} s, less than one frame of features ({MIN_SECONDS:g} s): silence is put behind it"
        return [("shorter-than-a-frame", detail)] if seconds < MIN_SECONDS else []
    least = max(policy.checks.min_seconds, MIN_SECONDS)
    if seconds < least:
        raise AudioError("audio-too-short", f"{seconds:.3f} s, at least {least:g} s needed")
    if seconds > policy.checks.max_seconds:
        raise AudioError("audio-too-long", f"{seconds:.3f} s, at most {policy.checks.max_seconds:g} s allowed")
    return []


def _channel(entry: Entry, info: AudioInfo, source: str, checks: Checks) -> int | None:
    """Index of the channel that is used of a recording with several; None: their average. One that an utterance asks
    for by itself has to be there; that of the settings is for recordings that have several."""
    wanted = checks.channel if entry.channel is None else entry.channel
    if wanted == AVERAGE or (info.channels == 1 and entry.channel is None):
        return None
    if wanted >= info.channels:
        raise AudioError("channel-missing", f"{source}: {info.channels} channels, asked for index {wanted}")
    return wanted if info.channels > 1 else None


def header(source: str, fetch_policy: FetchPolicy) -> AudioInfo:
    """What the header of a recording says; a command is run for it, a URL downloaded. AudioError says what is wrong."""
    last = source[-1:]
    if "://" not in source and not last.isdigit() and last not in "| ":
        return headers.probe_file(source)
    return _other_header(source, fetch_policy)


@lru_cache(maxsize=64)
def _other_header(source: str, fetch_policy: FetchPolicy) -> AudioInfo:
    """Arks, URLs and commands; kept, because the segments of a recording follow one another."""
    from recipe.audio import reading as audio

    return audio.probe(source, fetch_policy)


def _measured(source: str, entry: Entry, policy: CheckPolicy) -> AudioInfo:
    """Decode an utterance and check the samples; the recording's length as the header states it."""
    from recipe.audio import reading as audio

    info = None if is_command(source) else header(source, policy.fetch_policy)
    if info is not None and _not_worth_decoding(info, entry, policy):
        return info
    waveform, rate = audio.read_part(source, entry.start, entry.end, policy.fetch_policy, incomplete=policy.scoring)
    if info is None:
        info = AudioInfo(round(entry.start * rate) + len(waveform), rate, waveform.shape[1])
    elif not info.incomplete:
        _compare(info, waveform, rate, entry, source)
    if len(waveform):
        channel = _channel(entry, info, source, policy.checks)
        mono = audio.one_channel(waveform, AVERAGE if channel is None else channel, source)
        _check_levels(audio.levels(mono), policy, source)
    return info


def _not_worth_decoding(info: AudioInfo, entry: Entry, policy: CheckPolicy) -> bool:
    """Whether its header says that an entry is rejected, or too long to be read for the sake of a check."""
    if info.incomplete and not policy.scoring:
        return True
    most = policy.checks.max_seconds
    return info.seconds - entry.start > most and (entry.end is None or entry.end - entry.start > most)


def _compare(info: AudioInfo, waveform, rate: int, entry: Entry, source: str) -> None:
    if (rate, waveform.shape[1]) != (info.rate, info.channels):
        found = f"{rate} Hz and {waveform.shape[1]} channels"
        raise AudioError("header-mismatch", f"{source}: {info.rate} Hz and {info.channels} channels, decoded {found}")
    end = info.samples if entry.end is None else min(info.samples, round(entry.end * rate))
    expected = max(0, end - round(entry.start * rate))
    exact = not source.lower().endswith((".mp3", ".ogg", ".opus", ".oga"))
    allowed = 0 if exact else lossy_tolerance(expected)
    if abs(expected - len(waveform)) > allowed:
        reason = "audio-truncated" if len(waveform) < expected else "header-mismatch"
        raise AudioError(reason, f"{source}: {expected} samples stated, {len(waveform)} decoded")


def _check_levels(levels, policy: CheckPolicy, source: str) -> None:
    checks = policy.checks
    if not levels.finite:
        raise AudioError("audio-not-finite", f"{source}: NaN or infinite samples")
    if policy.scoring:
        return
    if levels.rms_db < checks.silence_db:
        raise AudioError("audio-silent", f"{source}: {levels.rms_db:.1f} dB, at least {checks.silence_db:g} needed")
    if levels.clipped > checks.max_clipped:
        raise AudioError(
            "audio-clipped",
            f"{source}: {levels.clipped:.1%} of samples at full scale, at most {checks.max_clipped:.1%}",
        )
