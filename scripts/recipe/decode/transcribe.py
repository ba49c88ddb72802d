"""One recording to text, by one call: for notebooks and other programs. Many recordings: `decode.run` in batches."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from recipe.audio.reading import SAMPLING_RATE
from recipe.data.join import Entry
from recipe.decode.engines import Engine, TransformersEngine
from recipe.decode.hypotheses import Hypothesis
from recipe.decode.requests import probe
from recipe.decode.run import DecodingOptions, decode
from recipe.files import RecipeError
from recipe.model.network import Recognizer
from recipe.text.languages import UnknownLanguage
from recipe.text.prompt import split_hotwords, transcription_prompt

WAVEFORM = "waveform"  # the key of a recording that is no file
DEFAULT = DecodingOptions()


def transcribe(
    model: Recognizer | Engine,
    recording: str | os.PathLike | np.ndarray,
    *,
    language: str | None = None,
    hotwords: str | Sequence[str] = (),
    wording: str = "zh",
    itn: bool = True,
    options: DecodingOptions = DEFAULT,
) -> Hypothesis:
    """Transcribe a recording as decode.py does: greedily by default, and cut at silences if it is over
    `options.max_seconds` (then `pieces` of the hypothesis has the parts).

    `model` is what `network.load` returns, or an engine (`engines.load`), which spares preparing the model for each
    call. `recording` is a file, or what else wav.scp may hold (a URL; with `options.fetch_policy` a command), or a
    waveform: floats [samples] in -1..1 at 16 kHz. `language` is the one to write in, e.g. "zh" (None: not said);
    `hotwords` are a list, or a str with commas between them; `wording` and `itn` as for
    `prompt.transcription_prompt`. The key of the hypothesis is the recording as it was given, or WAVEFORM.

    RecipeError says what is wrong with a recording of which nothing can be read. Of one that is damaged somewhere the
    hypothesis has what could be read, and its `error` (and its pieces') says what could not.
    """
    engine = TransformersEngine(model) if isinstance(model, Recognizer) else model
    words = split_hotwords(hotwords) if isinstance(hotwords, str) else hotwords
    try:
        prompt = transcription_prompt(wording, language, itn, words)
    except UnknownLanguage as error:
        raise RecipeError(f"language: {error}") from None
    with tempfile.TemporaryDirectory(prefix="transcribe-") as folder:
        if isinstance(recording, np.ndarray):
            key, source = WAVEFORM, _write(recording, Path(folder) / "waveform.wav")
        else:
            key = source = os.fspath(recording)
        requests = probe([Entry(1, key, source, prompt=prompt)], options.fetch_policy)
        [hypothesis] = decode(engine, requests, options)
    if hypothesis.unread:
        raise RecipeError(f"cannot transcribe {key}: {hypothesis.error}")
    return hypothesis


def _write(waveform: np.ndarray, file: Path) -> str:
    """Write a waveform to a file without changing it, and return the file's path: decoding reads parts of files."""
    if waveform.ndim != 1 or not np.issubdtype(waveform.dtype, np.floating):
        raise RecipeError(
            f"the waveform is {waveform.dtype} of shape {waveform.shape}, expected floats [samples] in -1..1 at "
            f"{SAMPLING_RATE} Hz; average the channels, and divide 16-bit integers by 32768"
        )
    if not np.isfinite(waveform).all():
        raise RecipeError("the waveform has samples that are not finite; was something divided by zero?")
    soundfile.write(file, waveform, SAMPLING_RATE, subtype="FLOAT")
    return str(file)
