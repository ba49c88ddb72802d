"""What decoding is given: prompts that fit or not, channels, recordings without their end, and a sum that adds up."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import test_decode
from conftest import ROOT, tone

from recipe.audio import reading
from recipe.audio.reading import AudioInfo
from recipe.data.join import Entry
from recipe.data.recordings import Survey
from recipe.decode import context, rejects
from recipe.decode.context import Context
from recipe.decode.engines import TransformersEngine
from recipe.decode.hypotheses import Hypothesis
from recipe.decode.requests import probe
from recipe.decode.run import DecodingOptions, decode
from recipe.files import RecipeError
from recipe.model import memory, network
from recipe.model.generate import Limits
from recipe.settings.data import PromptSettings
from recipe.settings.decode import DecodeSettings, check_installed
from recipe.text.prompt import transcription_prompt


@pytest.fixture
def engine(full_model):
    """An engine with few positions."""
    recognizer = network.load(full_model)
    recognizer.model.config.get_text_config().max_position_embeddings = 400
    recognizer.model.model.language_model.config.max_position_embeddings = 400
    return TransformersEngine(recognizer)


WORDS = tuple(f"word{i}" for i in range(300))


class TestPromptsThatDoNotFit:
    def requests(self, data_dir, hotwords=((), WORDS, ())):
        lines = [line.split() for line in (data_dir / "wav.scp").read_text().splitlines()]
        return probe(
            Entry(i, lines[i][0], str(data_dir / lines[i][1]), prompt=transcription_prompt(hotwords=words))
            for i, words in enumerate(hotwords)
        )

    def test_one_is_an_error_of_its_own_and_the_others_are_decoded(self, engine, data_dir):
        found = decode(engine, self.requests(data_dir))
        assert [h.ended == "error" for h in found] == [False, True, False]
        assert found[1].error.startswith("prompt-too-long: ") and "of 300 hotwords the first" in found[1].error

    def test_as_many_hotwords_as_are_said_to_fit_do_and_one_more_does_not(self, engine, data_dir):
        room = Context(engine, 30.0, Limits())
        [_, request, _] = self.requests(data_dir)
        fitting = int(context.checked(room, [request])[0].error.detail.split("first ")[1].split()[0])
        for count, errors in ((fitting, [False]), (fitting + 1, [True])):
            [_, asked, _] = self.requests(data_dir, ((), WORDS[:count], ()))
            assert [r.error is not None for r in context.checked(room, [asked])] == errors
        [_, asked, _] = self.requests(data_dir, ((), WORDS[:fitting], ()))
        [found] = decode(engine, [asked])
        assert found.ended == "length"  # all positions up to the limit can be used

    def test_hotwords_of_the_settings_are_refused_at_once(self, engine, data_dir):
        room = Context(engine, 30.0, Limits())
        with pytest.raises(RecipeError, match=r"decode\.hotwords .*of 300 hotwords the first \d+ fit"):
            context.refuse_settings(room, self.requests(data_dir, (WORDS, WORDS, ())), WORDS)
        context.refuse_settings(room, self.requests(data_dir), WORDS[:3])

    def test_settings_with_which_not_even_audio_fits_are_refused(self, engine, data_dir):
        room = Context(engine, 30.0, Limits(per_second=1000.0))
        with pytest.raises(RecipeError, match=r"even without a prompt .* lower max_tokens_per_second or max_seconds"):
            context.refuse_settings(room, self.requests(data_dir, ((), ())), ())
        alone = self.requests(data_dir, (WORDS,))  # its own words, so that it is an error of its own
        context.refuse_settings(Context(engine, 30.0, Limits()), alone, ())
        context.refuse_settings(room, [], WORDS)

    def test_audio_is_counted_as_its_features_are(self, engine):
        for seconds in (0.025, 0.4, 1.0, 2.345, 29.99):
            item = engine._front_end.item("u", tone(seconds), "语音转写：")
            audio = item.example.input_ids.count(engine._recognizer.prompts.audio_token_id)
            assert audio <= engine._front_end.audio_tokens(seconds) <= audio + 1


def test_a_channel_of_an_utterance_goes_before_that_of_the_options(tmp_path):
    both = np.stack([tone(1.0, 1), tone(1.0, 2)], 1)
    soundfile.write(tmp_path / "two.wav", both, 16000, subtype="FLOAT")

    waves = {}

    class Kept(test_decode.Echo):
        def prepare(self, key, waveform, instruction):
            waves[key] = waveform
            return waveform

    place = str(tmp_path / "two.wav")
    wanted = probe([Entry(1, "first", place, channel=0), Entry(2, "second", place, channel=1), Entry(3, "any", place)])
    for options in (DecodingOptions(channel=1), DecodingOptions(channel=1, batch_seconds=1.0)):
        decode(Kept(), wanted, options)
        for key, channel in (("first", 0), ("second", 1), ("any", 1)):
            assert np.array_equal(waves[key], both[:, channel])


def test_a_recording_without_its_end_keeps_its_text_and_says_so(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", tone(3.0), 16000)
    asked = []
    read = reading.read
    monkeypatch.setattr(reading, "probe", lambda *_: AudioInfo(48000, 16000, 1, incomplete="18 bytes are missing"))
    monkeypatch.setattr(reading, "read", lambda *a, **k: asked.append(k["incomplete"]) or read(*a, **k))
    place = str(tmp_path / "a.wav")
    wanted = probe(
        [Entry(1, "whole", place), Entry(2, "part", place, start=0.5, end=1.0), Entry(3, "end", place, start=1)]
    )
    whole, part, end = decode(test_decode.Echo(), wanted, DecodingOptions(max_seconds=2.5))
    assert set(asked) == {True}
    for found in (whole, end):
        assert found.incomplete == found.to_json()["incomplete"] == "18 bytes are missing"
        assert "incomplete_recording" in found.flags and found.ended == "eos" and found.text
    assert part.incomplete is None and "incomplete" not in part.to_json()
    assert not list(rejects.unreadable([whole, part, end]))


class TestRejects:
    @pytest.fixture
    def folder(self, data_dir, tmp_path):
        folder = tmp_path / "folder"
        shutil.copytree(data_dir / "wav", folder)
        (folder / "notes.txt").write_text("no recording")
        (folder / "bad.wav").write_bytes(b"no audio")
        return folder

    def decode(self, model, output, *flags):
        command = [sys.executable, ROOT / "scripts/decode.py", "--model-dir", model, "--output-file", output, *flags]
        return subprocess.run(command, capture_output=True, text=True)

    def rows(self, file):
        header, *rows = [line.split("\t") for line in file.read_text().splitlines()]
        assert header == ["key", "stage", "reason", "detail"] and all(row[1] == "decode" for row in rows)
        return {row[0]: row[2] for row in rows}

    def test_all_files_of_a_folder_are_accounted_for(self, full_model, folder, tmp_path):
        done = self.decode(full_model, tmp_path / "text", "--audio-dir", folder)
        assert done.returncode == 3, done.stderr
        assert self.rows(tmp_path / "text.rejects.tsv") == {
            "bad": "audio-unreadable", str(folder / "notes.txt"): "not-audio"
        }  # fmt: skip
        assert (
            "10 in the input: 8 decoded, 1 unreadable (audio-unreadable 1), 1 not decoded (not-audio 1)" in done.stderr
        )
        (folder / "bad.wav").unlink()
        (folder / "notes.txt").unlink()
        done = self.decode(full_model, tmp_path / "text", "--audio-dir", folder)
        assert done.returncode == 0 and not (tmp_path / "text.rejects.tsv").exists()
        assert "8 in the input: 8 decoded, 0 unreadable, 0 not decoded" in done.stderr
        self.decode(full_model, tmp_path / "text", "--audio-dir", folder, "--rejects-file", tmp_path / "r.tsv")
        assert self.rows(tmp_path / "r.tsv") == {}

    def test_lines_that_repeat_a_key_are_listed_by_the_last_shard(self, data_dir, monkeypatch):
        with open(data_dir / "wav.scp", "a") as file:
            file.write("spk0-utt0 wav/spk0-utt0.wav\nspk1-utt1 wav/spk0-utt0.wav\n")
        flags = ["--model-dir", "m", "--output-file", "o", "--scp-file", data_dir / "wav.scp", "--shard"]
        parts = []
        for i in (1, 2, 3):
            script, args = test_decode.stage(monkeypatch, "decode", *flags, f"{i}/3")
            entries, left_out = script.read_entries(args, script.sections(args)[1].prompt, "")
            parts.append((range(*script.part(len(entries), *args.shard)), left_out))
        assert sum(len(rows) for rows, _ in parts) == 8
        assert [[row.reason for row in left] for _, left in parts] == [[], [], ["duplicate-key", "conflicting-key"]]

    def test_a_folder_without_recordings_lists_what_is_there(self, tmp_path, full_model):
        (tmp_path / "folder").mkdir()
        done = self.decode(full_model, tmp_path / "text", "--audio-dir", tmp_path / "folder")
        assert done.returncode == 2 and "no entries" in done.stderr
        (tmp_path / "folder/notes.txt").write_text("no recording")
        done = self.decode(full_model, tmp_path / "text", "--audio-dir", tmp_path / "folder")
        assert done.returncode == 3 and (tmp_path / "text").read_text() == ""
        assert list(self.rows(tmp_path / "text.rejects.tsv").values()) == ["not-audio"]

    def test_what_may_have_been_a_recording_counts_as_unreadable_input(self):
        survey = Survey({}, [("x", "broken-link", "leads to nowhere")])
        assert rejects.lost([rejects.Rejected(*other) for other in survey.others])
        assert not rejects.lost([rejects.Rejected("x", "not-audio", "")])

    def test_a_damaged_piece_is_listed_with_its_reason_and_its_place(self):
        error = "3.00-5.00 s: audio-unreadable: lost sync"
        [row] = rejects.unreadable([Hypothesis("k", "text", "error", error=error)])
        assert row.key == "k" and "3.00-5.00 s" in row.detail + row.reason


class TestExitStatus:
    def call(self, full_model, data_dir, tmp_path, patch, *flags):
        """decode.py with a line of Python before it."""
        code = f"import runpy, sys; sys.path.insert(0, {str(ROOT / 'scripts')!r}); {patch}"
        script = str(ROOT / "scripts/decode.py")
        code += f"; sys.argv[0] = {script!r}; runpy.run_path({script!r}, run_name='__main__')"
        command = [
            sys.executable, "-c", code, "--model-dir", full_model, "--scp-file", data_dir / "wav.scp", "--output-file",
            tmp_path / "out", *flags,
        ]  # fmt: skip
        environ = os.environ | {"RECIPE_RECORD": str(tmp_path / "record.json")}
        return subprocess.run(command, capture_output=True, text=True, env=environ)

    BROKEN = "from recipe.decode import run; run.Piece = None"
    NO_MEMORY = (
        "import recipe.model.generate as g; g.Greedy.__call__ = "
        "lambda *a, **k: (_ for _ in ()).throw({error})"
    )  # fmt: skip

    def test_a_defect_is_a_traceback_and_no_partly_read_input(self, full_model, data_dir, tmp_path):
        done = self.call(full_model, data_dir, tmp_path, self.BROKEN)
        assert done.returncode == 1 and "Traceback" in done.stderr and not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        "error", ["MemoryError()", "RuntimeError('DefaultCPUAllocator: can\\'t allocate memory: you tried to ...')"]
    )
    def test_memory_that_runs_out_is_a_line_that_says_what_to_lower(self, full_model, data_dir, tmp_path, error):
        done = self.call(full_model, data_dir, tmp_path, self.NO_MEMORY.format(error=error), "--batch-seconds", "7")
        assert done.returncode == 4 and "Traceback" not in done.stderr
        assert "decode.py: error: out of memory: lower batch_seconds" in done.stderr and "it is 7)" in done.stderr
        assert not (tmp_path / "out").exists() and not (tmp_path / "record.json").exists()

    def test_words_of_memory_that_ran_out(self):
        assert memory.ran_out(RuntimeError("CUDA error: out of memory"))
        assert memory.ran_out(RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "))
        assert not memory.ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
        assert not memory.ran_out(ValueError("out of memory"))


class TestSettings:
    @pytest.mark.parametrize(
        ("decoding", "asked", "words"),
        [({"beams": 2}, {}, "beams is 2"), ({}, {"wording": "en"}, "wording is en"), ({}, {}, None)],
    )
    def test_what_funasr_cannot_do_is_found_in_the_settings(self, decoding, asked, words):
        problem = DecodeSettings(engine="funasr", **decoding).contradiction(PromptSettings(**asked))
        assert (words in problem) if words else problem is None
        assert replace(DecodeSettings(), **decoding).contradiction(PromptSettings(**asked)) is None

    def test_a_missing_package_is_found_without_importing_it(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "funasr", None)
        with pytest.raises(RecipeError, match="engine funasr: the package funasr is not installed"):
            check_installed("funasr")
        check_installed("transformers")

    def test_decode_says_so_before_it_reads_anything(self, monkeypatch):
        flags = [
            "--model-dir",
            "m",
            "--output-file",
            "o",
            "--scp-file",
            "gone.scp",
            "--engine",
            "funasr",
            "--beams",
            "2",
        ]
        script, args = test_decode.stage(monkeypatch, "decode", *flags)
        with pytest.raises(RecipeError, match="beams is 2"):
            script.sections(args)
