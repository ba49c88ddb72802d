"""Speech synthesis with espeak-ng, for the bundled corpus.

The PyPI package espeakng-loader brings the espeak-ng library and its voices; ctypes calls it. espeak-ng keeps state
from one utterance to the next (phases, noise, pitch flutter), which would make an utterance depend on those before it.
So every utterance is synthesized in a forked child that starts from the same untouched state: the same text and voice
give the same samples, whatever came before and however many processes work.
"""

import ctypes
import json
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import espeakng_loader
import numpy as np
import soxr

from recipe.files import RecipeError

SAMPLE_RATE = 16000
_NATIVE_RATE = 22050
# Constants of espeak-ng's speak_lib.h.
_OUTPUT_SYNCHRONOUS = 2
_POSITION_CHARACTER = 1
_CHARS_UTF8 = 1
_PHONEME_EVENTS = 1
_WORD, _END, _PHONEME = 1, 5, 7
_JOINT = "_|"  # the end of a syllable, of no length; other phonemes that begin so are pauses
_RATE, _PITCH, _RANGE = 1, 3, 4
# Silence is what stays below this fraction of the peak at either end.
_SILENCE = 0.01


@dataclass(frozen=True)
class Voice:
    """A way of speaking: an espeak-ng language ("en-us", "cmn", ...) and voice variant ("f2", "max", ...), the rate in
    espeak-ng's words a minute, pitch and pitch range from 0 to 99."""

    language: str
    variant: str
    rate: int
    pitch: int
    pitch_range: int = 50

    @property
    def name(self) -> str:
        """The name by which espeak-ng knows language and variant together."""
        return f"{self.language}+{self.variant}"


@dataclass(frozen=True)
class SpokenWord:
    """A word as the synthesizer says when it spoke it."""

    place: int  # of its first character in the text, from 0
    start: float  # seconds
    end: float


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),  # of a phoneme
    ]


_AUDIO_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Info.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    return library


def _start(library: ctypes.CDLL, voice_name: str) -> None:
    data = espeakng_loader.get_data_path().encode()
    rate = library.espeak_Initialize(_OUTPUT_SYNCHRONOUS, 0, data, _PHONEME_EVENTS)
    if rate != _NATIVE_RATE:
        raise RecipeError(f"espeak-ng: no voices (sample rate {rate}, not {_NATIVE_RATE}); reinstall espeakng-loader")
    if library.espeak_SetVoiceByName(voice_name.encode()) != 0:
        raise RecipeError(f"espeak-ng: no voice {voice_name!r}; see the voices of espeakng-loader's data folder")


def _in_child(work: Callable[[], bytes]) -> bytes:
    """Run `work()` in a forked child and return the bytes that it returns, or raise its RecipeError."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            try:
                answer = b"+" + work()
            except RecipeError as error:
                answer = b"-" + str(error).encode()
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(answer)
            status = 0
        except Exception:  # noqa: BLE001 - shown here; the child must not return into its parent's code
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        raise RuntimeError(f"the process that runs espeak-ng ended with status {status}")
    if answer[:1] == b"-":
        raise RecipeError(answer[1:].decode())
    return answer[1:]


def _speak(text: str, voice: Voice) -> bytes:
    """A line of JSON with the events (type, place in the text from 1, sample, name), then the samples."""
    library = _load()
    _start(library, voice.name)
    pieces = []
    events = []

    @_AUDIO_CALLBACK
    def collect(samples, count, found):
        if samples and count > 0:
            pieces.append(ctypes.string_at(samples, 2 * count))
        number = 0
        while found and found[number].type:  # the last one has no type
            event = found[number]
            if event.type in (_WORD, _END, _PHONEME):
                events.append((event.type, event.text_position, event.sample, event.name.decode("latin-1")))
            number += 1
        return 0

    library.espeak_SetSynthCallback(collect)
    for parameter, value in ((_RATE, voice.rate), (_PITCH, voice.pitch), (_RANGE, voice.pitch_range)):
        library.espeak_SetParameter(parameter, value, 0)
    # Noise comes from the library's own generator, which it seeds with the time, and from the C library's.
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))
    ctypes.CDLL(None).srand(1)
    encoded = text.encode()
    if library.espeak_Synth(encoded, len(encoded) + 1, 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None) != 0:
        raise RecipeError(f"espeak-ng: cannot synthesize {text!r}")
    return json.dumps(events).encode() + b"\n" + b"".join(pieces)


def synthesize(text: str, voice: Voice) -> np.ndarray:
    """Speak `text`: samples (n,) in float64 at 16 kHz, peak 1, without the silence around the speech.

    Raises RecipeError if the voice does not exist or the text gives no sound.
    """
    return spoken(text, voice)[0]


def spoken(text: str, voice: Voice) -> tuple[np.ndarray, list[SpokenWord]]:
    """As `synthesize`, and when the synthesizer spoke each word: from the word's beginning to the next one's, or to the
    pause before that. Of Chinese text every character is a word."""
    events, _, sound = _in_child(lambda: _speak(text, voice)).partition(b"\n")
    native = np.frombuffer(sound, dtype=np.int16).astype(np.float64)
    if not native.size or not np.abs(native).max():
        raise RecipeError(f"espeak-ng: voice {voice.name!r} gives no sound for {text!r}")
    samples = soxr.resample(native, _NATIVE_RATE, SAMPLE_RATE, quality="VHQ")
    samples /= np.abs(samples).max()
    loud = np.flatnonzero(np.abs(samples) > _SILENCE)
    begin, end = loud[0] / SAMPLE_RATE, (loud[-1] + 1) / SAMPLE_RATE
    words = [
        SpokenWord(word.place, float(max(word.start, begin) - begin), float(min(word.end, end) - begin))
        for word in _words(json.loads(events))
    ]
    return samples[loud[0] : loud[-1] + 1], words


def _words(events: list[tuple[int, int, int, str]]) -> list[SpokenWord]:
    """The words that `events` of `_speak` tell, in seconds of what was synthesized."""
    words: list[SpokenWord] = []
    open_word: tuple[int, float] | None = None
    for kind, place, sample, name in events:
        pause = kind == _PHONEME and name.startswith("_") and name != _JOINT
        if open_word and (kind != _PHONEME or pause):
            words.append(SpokenWord(*open_word, sample / _NATIVE_RATE))
            open_word = None
        if kind == _WORD:
            open_word = place - 1, sample / _NATIVE_RATE
    return words


def phonemes(text: str, language: str) -> str:
    """How espeak-ng reads `text`: its phoneme mnemonics, clauses separated by a space."""

    def read() -> bytes:
        library = _load()
        _start(library, language)
        buffer = ctypes.create_string_buffer(text.encode())
        rest = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses = []
        while rest.value:
            clauses.append(library.espeak_TextToPhonemes(ctypes.byref(rest), _CHARS_UTF8, 0))
        return b" ".join(clauses)

    return _in_child(read).decode()


def version() -> str:
    """The version of the espeak-ng library, such as "1.52.0"."""
    return _load().espeak_Info(None).decode()
