"""Silence: short recordings are listened to, alike alone and beside others; what has no speech is flagged."""

import numpy as np
import pytest
import soundfile
from conftest import ROOT, tone

from recipe.audio import reading
from recipe.data.join import Entry
from recipe.decode import detector, run, segment
from recipe.decode.engines import Instruction, Transcription
from recipe.decode.requests import probe
from recipe.decode.run import DecodingOptions, decode
from recipe.files import RecipeError

SECONDS = np.arange(4 * 16000) / 16000
NOISE = np.random.default_rng(5).standard_normal(4 * 16000)
SILENCES = {
    "zeros": np.zeros(4 * 16000),
    "noise": 0.1 * NOISE,
    "quiet noise": 0.003 * NOISE,
    "tone of 210 Hz": 0.5 * np.sin(2 * np.pi * 210 * SECONDS),
    "tone of 440 Hz": 0.1 * np.sin(2 * np.pi * 440 * SECONDS),
    "half a second": 0.1 * np.sin(2 * np.pi * 180 * SECONDS[:8000]),
    "one sample": np.zeros(1),
    "not finite": np.where(SECONDS == 1.0, np.nan, 0.01 * NOISE),
}


@pytest.fixture(scope="module")
def speech():
    files = sorted((ROOT / "data/test/wav").glob("*.flac"))[:12]
    return [reading.read(str(file)) for file in files]


class Talker:
    """An engine that finds words in anything."""

    def prepare(self, key, waveform, instruction):
        return key

    def decode(self, prepared, limits, penalty=1.0):
        return [Transcription(f"words of {key}", (1, 2), "eos") for key in prepared]

    def tokens_over(self, instruction, seconds, limit):
        return 0


@pytest.fixture
def wanted(tmp_path, speech):
    """Requests of recordings without speech, and of three with."""
    waves = {name.replace(" ", "_"): wave for name, wave in SILENCES.items() if name != "not finite"}
    waves |= {f"speech{i}": wave for i, wave in enumerate(speech[:3])}
    for name, wave in waves.items():
        soundfile.write(tmp_path / f"{name}.wav", wave, 16000, subtype="FLOAT")
    return probe(Entry(i, name, str(tmp_path / f"{name}.wav"), prompt="语音转写：") for i, name in enumerate(waves))


class TestDetector:
    @pytest.mark.parametrize("name", SILENCES)
    def test_it_hears_no_speech_in_silence_noise_and_tones(self, name):
        assert segment.find_speech([SILENCES[name].astype(np.float32)]) == [None]

    def test_it_hears_speech_where_it_is(self, speech):
        silence = np.zeros(16000, np.float32)
        [(start, end)] = segment.find_speech([np.concatenate([silence, speech[0], silence])])
        assert 0.8 < start < 1.5 and abs(end - 1 - len(speech[0]) / 16000) < 0.5
        assert None not in segment.find_speech([*speech, *(wave[4000:12000] for wave in speech)])

    def test_what_it_hears_does_not_depend_on_the_neighbours(self, speech):
        """To the bit: probabilities of the same recording in several places, alone and beside many."""
        waves = [speech[0], *SILENCES_SHORT, *speech, *(wave[:9000] for wave in speech * 3)]

        def judged(order):
            streams = [segment._streams(np.concatenate([segment._lead_in(waves[i]), waves[i]])) for i in order]
            found = iter(segment._judge([stream for own in streams for stream in own]))
            return {i: np.concatenate([next(found) for _ in own]) for i, own in zip(order, streams, strict=True)}

        together = judged(range(len(waves)))
        shuffled = judged(np.random.default_rng(1).permutation(len(waves)).tolist())
        for i in range(0, len(waves), 5):
            assert np.array_equal(together[i], judged([i])[i]) and np.array_equal(together[i], shuffled[i])

    def test_a_long_recording_is_judged_as_in_one_stream(self, speech):
        whole = np.concatenate(speech * 2)
        [found] = segment.find_speech([whole])
        probabilities = segment.speech_probabilities([whole])
        assert found == segment._speech(probabilities, 0.0, len(whole) / 16000)


SILENCES_SHORT = [wave[:20000].astype(np.float32) for wave in SILENCES.values()]


class TestFlags:
    @pytest.mark.parametrize("options", [{}, {"batch_seconds": 5.0}, {"workers": 2}])
    def test_text_without_speech_is_flagged_in_short_recordings_too(self, wanted, options):
        found = {h.key: h.flags for h in decode(Talker(), wanted, DecodingOptions(**options))}
        assert found == {key: () if key.startswith("speech") else ("text_on_silence",) for key in found}

    def test_shards_find_the_same(self, wanted):
        together = decode(Talker(), wanted)
        assert together == [*decode(Talker(), wanted[:4]), *decode(Talker(), wanted[4:])]

    def test_what_has_no_speech_can_be_skipped(self, wanted):
        found = decode(Talker(), wanted, DecodingOptions(skip_silence=True))
        silent = [h for h in found if not h.key.startswith("speech")]
        assert {(h.text, h.tokens, h.ended, h.flags) for h in silent} == {("", 0, "eos", ("no_speech",))}
        assert all(h.text and not h.flags for h in found if h.key.startswith("speech"))

    def test_pieces_without_speech_are_skipped_too_but_not_damaged_ones(self, tmp_path, speech):
        silence = np.zeros(6 * 16000, np.float32)
        wave = np.concatenate([speech[0], speech[1], silence, silence, speech[2]])
        soundfile.write(tmp_path / "long.wav", wave, 16000)
        [request] = probe([Entry(1, "long", str(tmp_path / "long.wav"), prompt="语音转写：")])
        [found] = decode(Talker(), [request], DecodingOptions(max_seconds=5.0, skip_silence=True))
        assert found.flags == ("no_speech",) and found.text.count("words of long") < len(found.pieces)
        for piece in found.pieces:
            assert (piece.text == "") == (piece.flags == ("no_speech",)) == (piece.span.speech is None)

    def test_without_the_detector_short_recordings_are_decoded_with_one_warning(self, wanted, monkeypatch, caplog):
        monkeypatch.setattr(detector.importlib.util, "find_spec", lambda name: None)
        detector._network.cache_clear()
        run._warn_that_nobody_listens.cache_clear()
        found = [h for _ in range(2) for h in decode(Talker(), wanted)]
        assert all(h.text and not h.flags for h in found)
        assert caplog.text.count("silero-vad is not installed") == 1
        with pytest.raises(RecipeError, match="silero-vad is not installed"):
            decode(Talker(), wanted, DecodingOptions(skip_silence=True))
        with pytest.raises(RecipeError, match="silero-vad is not installed"):
            decode(Talker(), wanted, DecodingOptions(max_seconds=2.0))


class TestDecodingAgain:
    @pytest.fixture
    def requests(self, tmp_path):
        soundfile.write(tmp_path / "a.wav", tone(1.0), 16000)
        return probe(Entry(i, f"u{i}", str(tmp_path / "a.wav"), prompt=Instruction().text) for i in range(4))

    class Lost(Talker):
        """Loops, reaches its limit, reaches its limit whatever the penalty, and ends well."""

        def __init__(self):
            self.asked = []

        def decode(self, prepared, limits, penalty=1.0):
            self.asked.append((sorted(prepared), penalty))
            first = {
                "u0": Transcription("ha " * 20, (7,) * 20, "eos"),
                "u1": Transcription("too long", (1, 2), "length"),
                "u2": Transcription("first", (1, 2, 3), "length"),
                "u3": Transcription("good", (1, 2), "eos"),
            }
            second = {
                "u0": Transcription("ha", (7, 2), "eos"),
                "u1": Transcription("long", (1, 4), "eos"),
                "u2": Transcription("second", (4, 5), "length"),
            }
            return [(first if penalty == 1.0 else second)[key] for key in prepared]

    def test_the_second_is_taken_if_it_ends_by_itself_without_a_loop(self, requests):
        engine = self.Lost()
        found = decode(engine, requests, DecodingOptions(retry_penalty=1.3))
        assert engine.asked == [(["u0", "u1", "u2", "u3"], 1.0), (["u0", "u1", "u2"], 1.3)]
        assert [h.text for h in found] == ["ha", "long", "first", "good"]
        assert [h.ended for h in found] == ["eos", "eos", "length", "eos"]
        assert [[f for f in h.flags if f != "text_on_silence"] for h in found] == [
            ["decoded_again"], ["decoded_again"], [], []
        ]  # fmt: skip

    def test_nothing_is_decoded_again_unless_asked_for(self, requests):
        engine = self.Lost()
        found = decode(engine, requests)
        assert len(engine.asked) == 1 and "looping" in found[0].flags


class TestMarks:
    @pytest.fixture
    def marked(self, tmp_path):
        class Marked(Talker):
            def decode(self, prepared, limits, penalty=1.0):
                return [Transcription("/sil你好\n[breath]再见。", (1, 2), "eos") for _ in prepared]

        soundfile.write(tmp_path / "a.wav", tone(9.0), 16000)
        [request] = probe([Entry(1, "a", str(tmp_path / "a.wav"), prompt="语音转写：")])
        return Marked(), [request]

    def test_they_are_removed_from_whole_texts_pieces_and_subtitles_and_stay_as_raw(self, marked):
        [whole] = decode(*marked)
        assert (whole.text, whole.to_json()["raw"]) == ("你好再见。", "/sil你好 [breath]再见。")
        [cut] = decode(*marked, DecodingOptions(max_seconds=4.0))
        assert cut.text == "你好再见。" * len(cut.pieces) and cut.to_json()["raw"].count("/sil") == len(cut.pieces)
        assert {piece.to_json()["raw"] for piece in cut.pieces} == {whole.raw}
        assert {cue.text for cue in cut.cues()} == {"你好再见。"}

    def test_they_can_be_kept(self, marked):
        [whole] = decode(*marked, DecodingOptions(marks="keep"))
        assert whole.text == "/sil你好 [breath]再见。" and "raw" not in whole.to_json()

    def test_a_text_of_marks_alone_is_no_text(self, marked):
        engine, requests = marked
        engine.decode = lambda prepared, limits: [Transcription("/sil。", (1, 2), "eos") for _ in prepared]
        [found] = decode(engine, requests)
        assert found.text == "" and "text_on_silence" not in found.flags
