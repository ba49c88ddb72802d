"""vLLM with the recipe's plugin writes what the recipe writes: decode.py's engine, the server, and vLLM's own class.

Runs where vLLM is installed (`make test-serving`). A busy machine takes minutes to start it.
"""

import io
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from parity.toolkit_checkpoint import FITTING_VLLM, write_toolkit_directory
from serving.clients import ROOT, Server, call, texts
from serving.padded import pad_heads
from transformers import AutoTokenizer

from recipe.convert.run import convert
from recipe.text import tables
from recipe.text.prompt import PromptEncoder, transcription_prompt

pytestmark = pytest.mark.slow
pytest.importorskip("vllm")

SETS = {"test": 108, "test_general": 110}
AT_ONCE = 32


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The bundled model with heads that a CPU knows, for each audio token setting."""
    folder = tmp_path_factory.mktemp("models")
    pad_heads(ROOT / "models/tiny", folder / "full")
    shutil.copytree(folder / "full", folder / "low_frame_rate")
    facts = json.loads((folder / "full/recipe.json").read_text())
    (folder / "low_frame_rate/recipe.json").write_text(json.dumps(facts | {"audio_tokens": "low_frame_rate"}))
    return folder


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A wav.scp of all bundled test sets."""
    lines = [
        f"{name}-{key} {ROOT / 'data' / name / place}\n"
        for name, count in SETS.items()
        for key, place in list(tables.read_map(ROOT / "data" / name / "wav.scp").items())[:count]
    ]
    assert len(lines) == sum(SETS.values())
    scp = tmp_path_factory.mktemp("recordings") / "wav.scp"
    scp.write_text("".join(lines))
    return scp


@pytest.fixture(scope="module")
def expected(models, recordings, tmp_path_factory):
    """What the recipe writes with the model that takes all audio tokens."""
    return texts("transformers", models / "full", tmp_path_factory.mktemp("out") / "text", "--scp-file", recordings)


@pytest.fixture(scope="module")
def server(models, tmp_path_factory):
    log = tmp_path_factory.mktemp("server") / "log"
    with Server(models / "full", log, "--enforce-eager", "--max-model-len", "1024") as up:
        yield up


def wav(samples, rate=16000):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.asarray(samples, np.float32), rate, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


class TestEngine:
    def test_texts_and_details_are_those_of_the_recipe(self, models, recordings, expected, tmp_path):
        found = texts("vllm", models / "full", tmp_path / "text", "--scp-file", recordings)
        assert found == expected and any(expected.values())

    def test_the_first_eighth_of_the_audio_is_taken_where_the_model_says_so(
        self, models, recordings, expected, tmp_path
    ):
        model = models / "low_frame_rate"
        wanted = texts("transformers", model, tmp_path / "wanted", "--scp-file", recordings)
        found = texts("vllm", model, tmp_path / "found", "--scp-file", recordings)
        assert wanted != expected
        assert sum(found[key] == text for key, text in wanted.items()) >= 216

    @pytest.mark.parametrize("script", ["decode.py", "serve.py"])
    def test_nothing_is_decoded_or_served_without_the_plugin(self, script, models, recordings, tmp_path):
        flags = ["--engine", "vllm", "--model-dir", models / "full", "--scp-file", recordings]
        flags += ["--output-file", tmp_path / "text"]
        done = call(script, *(flags if script == "decode.py" else [models / "full"]), VLLM_PLUGINS="")
        assert done.returncode == 2 and "VLLM_PLUGINS is '' and leaves fun_asr_nano out" in done.stderr
        assert not (tmp_path / "text").exists()


class TestServer:
    def test_many_requests_at_once_get_their_texts(self, server, recordings, expected):
        places = tables.read_map(recordings)
        keys = list(places)[:: len(places) // AT_ONCE][:AT_ONCE]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda key: server.ask(Path(places[key]).read_bytes()), keys))
        assert answers == [(200, expected[key]) for key in keys]

    @pytest.mark.parametrize(
        "broken",
        [
            b"RIFF\x00\x00\x00\x00WAVEjunkjunkjunk",
            b"no audio at all",
            wav(np.zeros(16000))[:60],
            wav(np.zeros(0)),
            wav(np.zeros(123 * 16000)),
        ],
        ids=["without-data", "text", "cut", "empty", "too-long"],
    )
    def test_what_is_no_recording_is_refused_and_the_next_request_gets_its_text(
        self, broken, server, recordings, expected
    ):
        key, place = next(iter(tables.read_map(recordings).items()))
        status, _ = server.ask(broken)
        assert 400 <= status < 500
        assert server.ask(Path(place).read_bytes()) == (200, expected[key])

    def test_other_rates_several_channels_and_less_than_a_frame_are_decoded_as_by_the_recipe(
        self, server, models, recordings, tmp_path
    ):
        samples, _ = soundfile.read(next(iter(tables.read_map(recordings).values())), dtype="float32")
        made = {
            "other-rate": wav(samples, 22050),
            "stereo": wav(np.stack([samples, samples / 2], 1)),
            "short": wav(samples[2000:2100]),
        }
        for key, data in made.items():
            (tmp_path / f"{key}.wav").write_bytes(data)
        wanted = texts("transformers", models / "full", tmp_path / "text", "--audio-dir", tmp_path)
        assert {key: server.ask(data)[1] for key, data in made.items()} == wanted

    @pytest.mark.parametrize(
        "prompt, arguments",
        [
            (transcription_prompt(), {}),
            (transcription_prompt(hotwords=["kitchen", "空调"]), {"keywords": ["kitchen", "空调"]}),
            (transcription_prompt(hotwords=["kitchen", "空调"]), {"text": "热词列表：[kitchen, 空调]"}),
            (transcription_prompt(language="en", itn=False), {"language": "英文", "itn": False}),
        ],
        ids=["plain", "hotwords", "hotwords-as-text", "language-and-spoken-words"],
    )
    def test_hotwords_language_and_spoken_words_become_the_tokens_of_decoding(
        self, prompt, arguments, server, models, recordings
    ):
        encoder = PromptEncoder(AutoTokenizer.from_pretrained(models / "full"))
        recording = Path(next(iter(tables.read_map(recordings).values()))).read_bytes()
        found = server.prompt_tokens(recording, **arguments)
        num_audio = found.count(encoder.audio_token_id)
        assert num_audio > 10 and found == encoder.encode(prompt, num_audio).input_ids


class TestOwnClass:
    def test_a_model_that_fits_is_proven_by_the_conversion_itself(self, tmp_path):
        """convert.py refuses the directory if vLLM decodes it otherwise than the recipe."""
        write_toolkit_directory(tmp_path / "toolkit", low_frame_rate=True, **FITTING_VLLM)
        convert(tmp_path / "toolkit", tmp_path / "hf", "hf")
        done = call("convert.py", "--to", "vllm", tmp_path / "hf", tmp_path / "made")
        assert done.returncode == 0, done.stderr
        assert f"{tmp_path / 'made'}: proven, decoded by vllm 16 of 16 texts" in done.stderr
        assert "no padding mask" in done.stderr
