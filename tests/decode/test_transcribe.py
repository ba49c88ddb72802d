"""`transcribe`: one recording gives what decode.py gives, and an error says what is wrong with it."""

import re

import numpy as np
import pytest
import soundfile
from conftest import tone

from recipe.audio import reading
from recipe.audio.reading import AudioError
from recipe.data.join import Entry
from recipe.decode import run as decode
from recipe.decode.engines import Transcription, TransformersEngine
from recipe.decode.requests import probe
from recipe.decode.run import DecodingOptions
from recipe.decode.transcribe import transcribe
from recipe.files import RecipeError
from recipe.model import network
from recipe.text.prompt import transcription_prompt


class Echo:
    """An engine whose text says how much audio it was given, to the sample, and what it was asked."""

    def __init__(self):
        self.asked = []

    def prepare(self, key, waveform, instruction):
        self.asked.append(instruction)
        return waveform

    def decode(self, prepared, limits, penalty=1.0):
        return [Transcription(str(len(waveform)), (1, 2), "eos") for waveform in prepared]

    def tokens_over(self, instruction, seconds, limit):
        return 0


@pytest.fixture
def recording(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(1.5), 16000)
    return tmp_path / "a.wav"


class TestTranscribe:
    def test_it_gives_what_decoding_gives(self, full_model, recording):
        recognizer = network.load(full_model)
        requests = probe([Entry(1, str(recording), str(recording), prompt=transcription_prompt())])
        [expected] = decode.decode(TransformersEngine(recognizer), requests)
        assert transcribe(recognizer, recording) == expected
        assert transcribe(TransformersEngine(recognizer), str(recording)) == expected
        assert expected.tokens > 0 and expected.duration == 1.5

    def test_a_waveform_gives_what_its_file_gives(self, full_model, recording):
        engine = TransformersEngine(network.load(full_model))
        waveform = reading.read(str(recording))
        from_file, from_memory = transcribe(engine, recording), transcribe(engine, waveform)
        assert from_memory.key == "waveform"
        assert (from_memory.text, from_memory.tokens) == (from_file.text, from_file.tokens)
        assert transcribe(engine, waveform.astype(np.float64)).text == from_file.text

    @pytest.mark.parametrize("hotwords", [["Tom", "灯"], "Tom, 灯"])
    def test_the_model_is_asked_for_a_language_and_hotwords(self, recording, hotwords):
        engine = Echo()
        transcribe(engine, recording, language="zh", hotwords=hotwords)
        [asked] = engine.asked
        assert asked.text == transcription_prompt(language="zh", hotwords=["Tom", "灯"])

    @pytest.mark.parametrize("in_memory", [False, True])
    def test_a_long_recording_is_cut(self, tmp_path, in_memory):
        waveform = np.concatenate([tone(10.0, seed) for seed in range(3)])
        soundfile.write(tmp_path / "long.wav", waveform, 16000, subtype="FLOAT")
        given = waveform if in_memory else tmp_path / "long.wav"
        found = transcribe(Echo(), given, options=DecodingOptions(max_seconds=8.0))
        assert len(found.pieces) >= 4 and found.duration == 30.0
        assert sum(int(piece.text) for piece in found.pieces) == len(waveform)


class TestErrors:
    @pytest.mark.parametrize(
        ("content", "message"),
        [(None, "audio-missing"), (b"no audio", "audio-unreadable"), (b"", "audio-empty")],
    )
    def test_a_file_that_cannot_be_read_is_named(self, tmp_path, content, message):
        if content is not None:
            (tmp_path / "bad.wav").write_bytes(content)
        with pytest.raises(RecipeError, match=rf"cannot transcribe .*bad\.wav: {message}"):
            transcribe(Echo(), tmp_path / "bad.wav")

    def test_a_damaged_part_of_a_long_recording_costs_that_part(self, tmp_path):
        file = tmp_path / "damaged.flac"
        soundfile.write(file, np.concatenate([tone(10.0, seed) for seed in range(3)]), 16000)
        raw = bytearray(file.read_bytes())
        raw[len(raw) // 2] ^= 0x55
        file.write_bytes(raw)
        found = transcribe(Echo(), file, options=DecodingOptions(max_seconds=8.0))
        assert re.match(r"\d+\.\d\d-\d+\.\d\d s: audio-unreadable", found.error)
        assert [piece.ended for piece in found.pieces].count("error") == 1
        assert found.ended == "error" and found.text == " ".join(piece.text for piece in found.pieces if piece.text)

    def test_a_long_recording_of_which_nothing_can_be_read_is_an_error(self, tmp_path, monkeypatch):
        def broken(*_, **__):
            raise AudioError("audio-unreadable", "lost sync")

        soundfile.write(tmp_path / "long.wav", np.concatenate([tone(10.0, seed) for seed in range(3)]), 16000)
        monkeypatch.setattr(reading, "read", broken)
        with pytest.raises(RecipeError, match=r"cannot transcribe .*long\.wav: .*lost sync"):
            transcribe(Echo(), tmp_path / "long.wav", options=DecodingOptions(max_seconds=8.0))

    def test_what_is_shorter_than_a_frame_is_decoded_with_zeros_behind_it(self):
        assert transcribe(Echo(), tone(0.01)).text == "400"

    @pytest.mark.parametrize(
        ("waveform", "message"),
        [
            (np.zeros((16000, 2), np.float32), r"float32 of shape \(16000, 2\), expected floats \[samples\]"),
            (np.zeros(16000, np.int16), "int16 of shape"),
            (np.full(16000, np.nan, np.float32), "not finite"),
            (np.zeros(0, np.float32), "audio-empty"),
        ],
    )
    def test_a_waveform_that_is_none_says_what_is_expected(self, waveform, message):
        with pytest.raises(RecipeError, match=message):
            transcribe(Echo(), waveform)
