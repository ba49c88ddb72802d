"""Decoding: the same text alone and in batches, limits and errors said, long recordings whole, input order."""

import gzip
import itertools
import json
import subprocess
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from conftest import ROOT, tone
from transformers import RepetitionPenaltyLogitsProcessor

from recipe.audio import reading as audio
from recipe.audio.fetch import FetchPolicy
from recipe.audio.reading import AudioError
from recipe.data import recordings
from recipe.data.join import Entry
from recipe.decode import hypotheses, segment
from recipe.decode import requests as requests_of
from recipe.decode import run as decode
from recipe.decode.engines import Instruction, Transcription, TransformersEngine
from recipe.decode.hypotheses import join_texts
from recipe.decode.requests import Request
from recipe.decode.run import DecodingOptions
from recipe.files import RecipeError
from recipe.model import network as model
from recipe.model.features import FrontEnd
from recipe.model.generate import Greedy, Limits, beam_search, common_prefix, generate, penalized
from recipe.settings.train import LoraSettings
from recipe.text import prompt


def requests(data_dir, count=8):
    lines = [line.split() for line in (data_dir / "wav.scp").read_text().splitlines()][:count]
    return probe((key, str(data_dir / source)) for key, source in lines)


def probe(sources):
    """Requests of (key, source) pairs."""
    return requests_of.probe(Entry(i, *one, prompt=Instruction().text) for i, one in enumerate(sources))


def items_of(recognizer, data_dir, prompts=("语音转写：",)):
    front_end = FrontEnd(recognizer)
    return [
        front_end.item(r.key, audio.read(r.source), prompts[i % len(prompts)])
        for i, r in enumerate(requests(data_dir))
    ]  # fmt: skip


class Echo:
    """An engine whose text says how much audio it was given, to the sample."""

    def prepare(self, key, waveform, instruction):
        return waveform

    def decode(self, prepared, limits, penalty=1.0):
        return [Transcription(str(len(waveform)), (1, 2), "eos") for waveform in prepared]

    def tokens_over(self, instruction, seconds, limit):
        return 0


class TestGreedy:
    @pytest.mark.parametrize("directory", ["full_model", "low_model"])
    @pytest.mark.parametrize("beams", [1, 3])
    def test_batched_text_is_that_of_one_at_a_time(self, directory, beams, data_dir, request):
        engine = TransformersEngine(model.load(request.getfixturevalue(directory)), beams)
        wanted = requests(data_dir)
        together = decode.decode(engine, wanted, DecodingOptions(batch_seconds=100))
        alone = [decode.decode(engine, [one])[0] for one in wanted]
        assert together == alone
        assert len({hypothesis.text for hypothesis in together}) > 1  # the audio makes a difference

    @pytest.mark.parametrize("directory", ["full_model", "low_model"])
    def test_tokens_are_those_of_transformers_greedy_search(self, directory, data_dir, request):
        """Different prompts, limits from 1 on, rows that leave the batch, and one object for several batches."""
        recognizer = model.load(request.getfixturevalue(directory))
        items = items_of(recognizer, data_dir, ("语音转写：", "语音转写成英文，不进行文本规整：", "Speech: "))
        limits = [1, 40, 3, 25, 7, 150, 40, 2]
        wanted = beam_search(recognizer, items, limits, 1)
        greedy, static = Greedy(recognizer), Greedy(recognizer, static_shapes=True)
        fused = Greedy(recognizer, fused=True)
        for count in (3, 8, 5):
            assert greedy(items[:count], limits[:count]) == wanted[:count]
            assert static(items[:count], limits[:count]) == wanted[:count]
            assert fused(items[:count], limits[:count]) == wanted[:count]

    @pytest.mark.parametrize("directory", ["full_model", "low_model"])
    @pytest.mark.parametrize("penalty", [1.05, 1.3, 2.0])
    def test_tokens_with_a_repetition_penalty_are_those_of_transformers(self, directory, penalty, data_dir, request):
        """Rows that leave the batch take what they have said along; the next batch without a penalty knows nothing."""
        recognizer = model.load(request.getfixturevalue(directory))
        items = items_of(recognizer, data_dir, ("语音转写：", "Speech: "))
        limits = [1, 40, 3, 25, 7, 90, 40, 2]
        plain, wanted = (beam_search(recognizer, items, limits, 1, factor) for factor in (1.0, penalty))
        assert wanted != plain
        for static in (False, True):
            greedy = Greedy(recognizer, static_shapes=static)
            assert greedy(items, limits, penalty) == wanted
            assert greedy(items, limits) == plain
            assert greedy(items[:3], limits[:3], penalty) == wanted[:3]

    def test_a_penalty_is_that_of_transformers_over_what_was_said(self):
        """On logits of any sign, also in 16 bits."""
        logits = torch.randn(5, 40, generator=torch.Generator().manual_seed(1)) * 3
        tokens = torch.randint(0, 40, (5, 12), generator=torch.Generator().manual_seed(2))
        said = torch.zeros(5, 40, dtype=torch.bool).scatter_(1, tokens, True)
        for scores in (logits, logits.bfloat16()):
            theirs = RepetitionPenaltyLogitsProcessor(1.3)(tokens, scores.float())
            assert torch.equal(penalized(scores, said, 1.3), theirs)

    def test_adapters_in_training_count(self, full_model, data_dir):
        """Hypotheses during training are those of the adapters, and decoding leaves the weights as they lie."""
        recognizer = model.load(full_model)
        items = items_of(recognizer, data_dir)
        before = Greedy(recognizer)(items, [20] * len(items))
        recognizer.model.add_adapters(LoraSettings(rank=4), 1)
        for name, parameter in recognizer.model.named_parameters():
            if ".lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.3)
        places = {name: parameter.data_ptr() for name, parameter in recognizer.model.named_parameters()}
        recognizer.model.eval()
        found = generate(recognizer, items, [20] * len(items))
        assert found == beam_search(recognizer, items, [20] * len(items), 1)
        assert found != before
        assert places == {name: parameter.data_ptr() for name, parameter in recognizer.model.named_parameters()}

    def test_tokens_are_those_of_a_plain_loop(self, full_model):
        """Against argmax step by step over the model's own logits, without a cache."""

        recognizer = model.load(full_model)
        item = FrontEnd(recognizer).item("u", tone(1.0), "语音转写：")
        [tokens] = generate(recognizer, [item], [8])
        ids = list(item.example.input_ids)
        with torch.inference_mode():
            for _ in range(8):
                out = recognizer.model(
                    input_ids=torch.tensor([ids]),
                    input_features=item.features[None],
                    input_features_mask=torch.ones(1, len(item.features), dtype=torch.long),
                )
                ids.append(int(out.logits[0, -1].argmax()))
                if ids[-1] == recognizer.prompts.end_id:
                    break
        assert tokens == ids[len(item.example.input_ids) :]

    @pytest.mark.parametrize("penalty", [1.0, 1.3])
    def test_beams_change_with_neither_the_batch_nor_the_limits_of_others(self, penalty, low_model, data_dir):
        recognizer = model.load(low_model)
        items, limits = items_of(recognizer, data_dir), [3, 20, 9, 14, 5, 20, 2, 11]
        together = beam_search(recognizer, items, limits, 3, penalty)
        assert together == [
            beam_search(recognizer, [item], [limit], 3, penalty)[0] for item, limit in zip(items, limits, strict=True)
        ]

    def test_shared_prefix_stops_before_the_audio_and_leaves_something_of_each(self):
        assert common_prefix([[1, 2, 9, 3], [1, 2, 9, 9, 3]], 9) == 2
        assert common_prefix([[1, 2, 3], [1, 5, 3]], 9) == 1
        assert common_prefix([[1, 2], [1, 2, 3]], 9) == 1
        assert common_prefix([[4], [5]], 9) == 0


class TestHypotheses:
    def test_output_is_in_input_order_whatever_the_batches(self, full_model, data_dir):
        engine = TransformersEngine(model.load(full_model))
        wanted = requests(data_dir)
        found = [decode.decode(engine, wanted, DecodingOptions(batch_seconds=seconds)) for seconds in (1.0, 5.0, 100.0)]
        assert [h.key for h in found[0]] == [r.key for r in wanted]
        assert found[0] == found[1] == found[2]

    def test_reading_in_processes_changes_nothing(self, data_dir):
        wanted = requests(data_dir)
        assert decode.decode(Echo(), wanted, DecodingOptions(workers=2)) == decode.decode(Echo(), wanted)

    def test_a_hypothesis_stopped_at_its_limit_says_so(self, full_model, data_dir):
        """A random model hardly ever ends by itself: all reach the limit that goes with their duration."""
        engine = TransformersEngine(model.load(full_model))
        wanted = requests(data_dir)
        found = decode.decode(engine, wanted, DecodingOptions(limits=Limits(2, 3.0)))
        for hypothesis, one in zip(found, wanted, strict=True):
            assert hypothesis.tokens <= 2 + int(3.0 * one.duration)
            if hypothesis.ended == "length":
                assert hypothesis.tokens == 2 + int(3.0 * one.duration)

    def test_a_loop_is_flagged_and_left_as_it_is(self, data_dir):
        class Looping(Echo):
            def decode(self, prepared, limits):
                return [Transcription("ab" * 8, (5, 6) * 8, "length"), Transcription("fine", (1, 2, 3), "eos")]

        looping, fine = decode.decode(Looping(), requests(data_dir, 2))
        if looping.text == "fine":
            looping, fine = fine, looping  # the longest is decoded first
        assert "looping" in looping.flags and looping.text == "ab" * 8
        assert "looping" in looping.to_json()["flags"] and "looping" not in fine.flags
        assert "1 looping" in hypotheses.summary([looping, fine])

    def test_unreadable_recordings_keep_their_key_and_say_why(self, data_dir):
        (data_dir / "wav" / "bad.wav").write_bytes(b"no audio")
        wanted = [
            *requests(data_dir, 2),
            Request("gone", "nowhere.wav", Instruction()),
            *probe([("bad", str(data_dir / "wav/bad.wav"))]),
        ]
        found = decode.decode(Echo(), wanted)
        assert [h.ended for h in found] == ["eos", "eos", "error", "error"]
        assert "audio-missing" in found[2].error and "audio-unreadable" in found[3].error
        assert found[2].text == found[3].text == ""

    def test_a_defect_while_reading_stops_decoding(self, data_dir):
        class Broken(Echo):
            def prepare(self, key, waveform, instruction):
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            decode.decode(Broken(), requests(data_dir))

    def test_texts_are_joined_as_their_scripts_are_written(self):
        assert join_texts(["turn on", "", "the light."]) == "turn on the light."
        assert join_texts(["打开。", "关上"]) == "打开。关上"
        assert join_texts(["打开", "box"]) == "打开 box"
        assert join_texts([]) == ""


@pytest.fixture
def long_file(tmp_path):
    """A minute at 44.1 kHz in stereo."""
    file = tmp_path / "long.flac"
    mono = np.concatenate([tone(10.0, seed, 44100) for seed in range(6)])
    soundfile.write(file, np.stack([mono, mono], 1), 44100)
    return file


class TestLongRecordings:
    def test_pieces_tile_the_recording(self, long_file):
        [request] = probe([("long", str(long_file))])
        [found] = decode.decode(Echo(), [request], DecodingOptions(max_seconds=8.0))
        spans = [piece.span for piece in found.pieces]
        assert spans[0].start == 0.0 and spans[-1].end == request.duration == 60.0
        assert all(before.end == after.start for before, after in itertools.pairwise(spans))
        assert max(span.end - span.start for span in spans) <= 8.0
        samples = sum(int(piece.text) for piece in found.pieces)
        assert abs(samples - 60 * 16000) <= len(spans)  # each piece is resampled by itself
        assert found.text == " ".join(piece.text for piece in found.pieces)
        assert found.tokens == 2 * len(spans)
        assert found == decode.decode(Echo(), [request], DecodingOptions(max_seconds=8.0, batch_seconds=10.0))[0]

    def test_times_of_pieces_are_in_the_details(self, long_file):
        [request] = probe([("long", str(long_file))])
        record = decode.decode(Echo(), [request], DecodingOptions(max_seconds=30.0))[0].to_json()
        assert record["pieces"][0]["start"] == 0.0
        assert record["pieces"][-1]["end"] == 60.0 and record["ended"] == "eos"

    def test_text_where_the_detector_hears_no_speech_is_flagged(self, tmp_path):
        soundfile.write(tmp_path / "s.wav", np.zeros(16000 * 10, np.float32), 16000)
        [request] = probe([("s", str(tmp_path / "s.wav"))])
        [found] = decode.decode(Echo(), [request], DecodingOptions(max_seconds=5.0))
        assert found.flags == ("text_on_silence",) and found.text

    def test_a_command_is_run_once_and_not_once_a_piece(self, tmp_path, long_file):
        source = f"echo run >> {tmp_path}/runs; cat {long_file} |"
        request = Request("long", source, Instruction(), 60.0)
        [found] = decode.decode(
            Echo(), [request], DecodingOptions(max_seconds=8.0, fetch_policy=FetchPolicy(commands=True))
        )
        assert len(found.pieces) >= 8 and (tmp_path / "runs").read_text() == "run\n"

    def test_a_piece_that_cannot_be_read_is_an_error_that_says_which(self, long_file, monkeypatch):
        [request] = probe([("long", str(long_file))])
        read = audio.read

        def broken(source, start=0.0, end=None, **options):
            if end is not None and start > 0 and end - start < 20:
                raise AudioError("audio-unreadable", "lost sync")
            return read(source, start=start, end=end, **options)

        monkeypatch.setattr(audio, "read", broken)
        [found] = decode.decode(Echo(), [request], DecodingOptions(max_seconds=16.0))
        assert found.ended == "error" and "lost sync" in found.error and found.pieces[1].span.start > 0
        assert found.text == found.pieces[0].text

    def test_a_damaged_place_costs_its_piece_and_no_other(self, tmp_path):
        """One flipped byte: libsndfile then reads neither the whole file nor any part with that place in it."""
        file = tmp_path / "damaged.flac"
        soundfile.write(file, np.concatenate([tone(10.0, seed) for seed in range(6)]), 16000)
        raw = bytearray(file.read_bytes())
        raw[len(raw) // 2] ^= 0x55
        file.write_bytes(raw)
        [found] = decode.decode(Echo(), probe([("d", str(file))]), DecodingOptions(max_seconds=8.0))
        lost = [piece for piece in found.pieces if piece.ended == "error"]
        assert len(lost) == 1 and lost[0].text == "" and lost[0].span.start < 32 < lost[0].span.end + 4
        kept = sum(int(piece.text) for piece in found.pieces if piece.text)
        assert kept == 60 * 16000 - round((lost[0].span.end - lost[0].span.start) * 16000)
        assert found.text == " ".join(piece.text for piece in found.pieces if piece.text)
        assert found.ended == "error" and f"{lost[0].span.start:.2f}-" in found.error and "flac" in found.error

    def test_a_long_segment_has_the_times_of_its_recording(self, long_file):
        instruction = Instruction()
        whole = Request("whole", str(long_file), instruction, 60.0)
        part = Request("part", str(long_file), instruction, 25.0, start=20.0, end=45.0, recording="long")
        [found] = decode.decode(Echo(), [part], DecodingOptions(max_seconds=8.0))
        spans = [piece.span for piece in found.pieces]
        assert spans[0].start == 20.0 and spans[-1].end == 45.0
        assert all(before.end == after.start for before, after in itertools.pairwise(spans))
        assert abs(sum(int(piece.text) for piece in found.pieces) - 25 * 16000) <= len(spans)
        record = found.to_json()
        assert (record["recording"], record["start"], record["end"]) == ("long", 20.0, 45.0)
        assert found.cues()[0].start >= 20.0
        # What a command gives is kept in a file, from the start of the segment on.
        command = replace(part, source=f"cat {long_file} |")
        [same] = decode.decode(
            Echo(), [command], DecodingOptions(max_seconds=8.0, fetch_policy=FetchPolicy(commands=True))
        )
        assert [piece.span.start for piece in same.pieces] == [span.start for span in spans]
        assert decode.decode(Echo(), [whole])[0].start is None

    def test_no_more_than_some_unreadable_pieces_are_named(self, long_file, monkeypatch):
        read = audio.read

        def broken(source, start=0.0, end=None, **options):
            if end - start < 20:
                raise AudioError("audio-unreadable", "lost sync")
            return read(source, start=start, end=end, **options)

        monkeypatch.setattr(audio, "read", broken)
        [found] = decode.decode(Echo(), probe([("long", str(long_file))]), DecodingOptions(max_seconds=8.0))
        assert found.text == "" and found.error.count("lost sync") == 3
        assert found.error.endswith(f"and {len(found.pieces) - 3} other pieces")


class TestSegments:
    def test_cuts_lie_in_the_middle_of_the_longest_silence(self):
        probabilities = np.ones(1000, np.float32)  # 32 s
        probabilities[180:190] = 0.0
        probabilities[200:230] = 0.1
        first, *_ = segment.cut(probabilities, 32.0, 10.0)
        assert first.end == 215 * segment.WINDOW_SECONDS and not first.forced
        assert first.speech == (0.0, 200 * segment.WINDOW_SECONDS)

    def test_without_silence_a_cut_is_forced_and_says_so(self):
        probabilities = np.full(1000, 0.9, np.float32)
        probabilities[250] = 0.5
        spans = segment.cut(probabilities, 32.0, 10.0)
        assert spans[0].forced and spans[0].end == 250 * segment.WINDOW_SECONDS
        assert not spans[-1].forced and max(s.end - s.start for s in spans) <= 10.0

    @pytest.mark.parametrize("seconds", [10.001, 10.3, 19.99, 20.0, 123.456])
    def test_no_piece_is_longer_than_allowed_or_too_short_to_decode(self, seconds):
        random = np.random.default_rng(int(seconds * 1000))
        probabilities = random.random(int(np.ceil(seconds / segment.WINDOW_SECONDS))).astype(np.float32)
        spans = segment.cut(probabilities, seconds, 10.0)
        lengths = [span.end - span.start for span in spans]
        assert max(lengths) <= 10.0 and min(lengths) >= 0.4
        assert spans[0].start == 0 and spans[-1].end == seconds
        assert all(a.end == b.start for a, b in itertools.pairwise(spans))

    def test_the_detector_finds_bundled_speech_between_silences(self):
        speech = audio.read(str(next(iter(sorted((ROOT / "data/test/wav").glob("*.flac"))))))
        silence = np.zeros(3 * 16000, np.float32)
        probabilities = segment.speech_probabilities([np.concatenate([silence, speech, silence])])
        ends = [3.0, 3.0 + len(speech) / 16000]
        found = np.flatnonzero(probabilities > segment.SPEECH) * segment.WINDOW_SECONDS
        assert abs(found[0] - ends[0]) < 0.5 and abs(found[-1] - ends[1]) < 0.5

    def test_blocks_are_judged_as_one_recording(self):
        speech = np.concatenate([audio.read(str(f)) for f in sorted((ROOT / "data/test/wav").glob("*.flac"))[:15]])
        speech = speech[: len(speech) // 2 // 512 * 2 * 512]
        whole = segment.speech_probabilities([speech]) > segment.SPEECH
        halves = segment.speech_probabilities(np.split(speech, 2)) > segment.SPEECH
        assert len(whole) == len(halves) and (whole != halves).mean() < 0.02

    def test_threads_of_the_process_are_left_alone(self):

        threads = torch.get_num_threads()
        torch.set_num_threads(2)
        try:
            segment.speech_probabilities([np.zeros(1024, np.float32)])
            assert torch.get_num_threads() == 2
        finally:
            torch.set_num_threads(threads)


def stage(monkeypatch, name, *flags):
    """A stage's script as a module, and its arguments."""
    import importlib.util

    spec = importlib.util.spec_from_file_location(f"{name}_script", ROOT / f"scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, flags)])
    return module, module.parse_args()


def read(monkeypatch, *flags):
    """Requests that decode.py makes of its command line."""
    script, args = stage(monkeypatch, "decode", "--model-dir", "m", "--output-file", "o", *flags)
    settings, data = script.sections(args)
    entries, _ = script.read_entries(args, data.prompt, ",".join(settings.hotwords))
    rows = entries.rows(*script.part(len(entries), *args.shard))
    found = requests_of.probe(map(Entry._make, rows), scp_file=args.scp_file)
    if settings.strict:
        script.refuse_unread(args, [f"{one.key}: {one.error}" for one in found if one.error])
    return found


class TestInput:
    @pytest.fixture
    def segmented(self, data_dir):
        """A data directory with all that decoding reads, two tables of it compressed."""
        segments = ["late spk1-utt7 1.0 2.0", "a spk0-utt0 0 0.5", "b spk0-utt0 0.25 -1", "c spk1-utt3 0 -1"]
        (data_dir / "segments").write_text("".join(f"{line}\n" for line in segments))
        (data_dir / "text").write_text("late light\na light\nb light\nc light\n")
        (data_dir / "utt2lang").write_text("a zh\nb en\n")
        (data_dir / "utt2prompt").write_text("c Say it in verse:\n")
        (data_dir / "utt2hotwords.gz").write_bytes(gzip.compress("late Mei，开放时间\n".encode()))
        (data_dir / "wav.scp.gz").write_bytes(gzip.compress((data_dir / "wav.scp").read_bytes()))
        (data_dir / "wav.scp").unlink()
        return data_dir

    @pytest.mark.parametrize("language", ["utt2lang", "en"])
    def test_a_data_directory_is_read_as_the_data_stage_reads_it(self, segmented, monkeypatch, language):
        """The same keys in the same order, the same audio, and prompts to the letter, hotwords included."""
        flags = ["--scp-file", segmented / "wav.scp.gz", "--language", language, "--hotwords", "Tom, espresso"]
        found = read(monkeypatch, *flags)
        script, args = stage(monkeypatch, "scp2jsonl", *flags, "--transcript-file", segmented / "text")
        entries = [entry for entry in script.entries_of(args, script.section(args).prompt) if entry.source]
        listed = [entry for entry in entries if not entry.problem]
        assert [r.key for r in found] == [e.key for e in listed] == ["late", "a", "b", "c"]
        assert [r.instruction.text for r in found] == [e.prompt for e in listed]
        assert [(r.start, r.end, r.recording) for r in found] == [(e.start, e.end, e.recording) for e in listed]
        assert [round(r.duration, 6) for r in found] == [1.0, 0.5, 0.55, 1.4]
        first, second, *_, last = (request.instruction.text for request in found)
        assert first.startswith(prompt.HOTWORD_HEADER) and "[Mei, 开放时间]" in first
        assert "[Tom, espresso]" in second and ("成中文" if language == "utt2lang" else "成英文") in second
        assert last == "Say it in verse:"
        samples = [int(hypothesis.text) for hypothesis in decode.decode(Echo(), found)]
        assert samples == [16000, 8000, 8800, 22400]

    def test_a_language_of_each_needs_its_table(self, data_dir, monkeypatch):
        with pytest.raises(RecipeError, match="no utt2lang"):
            read(monkeypatch, "--scp-file", data_dir / "wav.scp", "--language", "utt2lang")
        with pytest.raises(RecipeError, match="no utt2lang"):
            read(monkeypatch, "--audio-dir", data_dir / "wav", "--language", "utt2lang")

    def test_entries_with_problems_keep_their_keys_and_say_why(self, segmented, monkeypatch):
        with open(segmented / "segments", "ab") as file:
            file.write(
                b"beyond spk0-utt0 0.5 9\nodd spk0-utt0\nback spk0-utt0 2 1\nnowhere nothing 0 1\nbad \xff 0 1\n"
                b"a spk0-utt0 0 0.5\nb spk0-utt0 0 0.5\nbyte spk0-utt0 0 0.5\ntiny spk0-utt0 0.1 0.11\n"
            )
        (segmented / "utt2prompt").write_bytes(b"c Say it in verse:\nbyte \xff\n")
        flags = ["--scp-file", segmented / "wav.scp.gz"]
        found = read(monkeypatch, *flags)
        reasons = {request.key: request.error and request.error.reason for request in found}
        assert list(reasons.items()) == [
            ("late", None), ("a", None), ("b", "conflicting-key"), ("c", None), ("beyond", "segment-beyond-end"),
            ("odd", "segment-invalid"), ("back", "segment-invalid"), ("nowhere", "audio-missing"),
            ("bad", "bad-utf8"), ("byte", "bad-utf8"), ("tiny", None),
        ]  # fmt: skip
        hypotheses = decode.decode(Echo(), found)
        assert [(h.key, bool(h.text), h.ended == "error") for h in hypotheses] == [
            (key, reason is None, reason is not None) for key, reason in reasons.items()
        ]
        assert all("start" not in h.to_json() and h.to_json()["error"] for h in hypotheses[4:-1])
        assert hypotheses[-1].text == "400"  # 10 ms, and zeros up to a frame
        with pytest.raises(RecipeError, match=r"wav\.scp\.gz: b: conflicting-key.*7 such"):
            read(monkeypatch, *flags, "--strict")
        parts = [read(monkeypatch, *flags, "--shard", f"{i}/3") for i in (1, 2, 3)]
        assert [request.key for part in parts for request in part] == list(reasons)

    def test_jsonl_has_sources_prompts_and_parts(self, tmp_path, data_dir, monkeypatch):
        def line(before, audio, after="", **others):
            user = f"{before}<|startofspeech|>!{audio}<|endofspeech|>{after}"
            contents = {"system": "You are a helpful assistant.", "user": user, "assistant": "light"}
            messages = [{"role": role, "content": content} for role, content in contents.items()]
            return json.dumps({"messages": messages, **others}) + "\n"

        wav = data_dir / "wav"
        (tmp_path / "set.jsonl").write_text(
            line("语音转写：", wav / "spk0-utt0.wav", key="a")
            + line("Transcribe: ", wav / "spk1-utt7.wav", " Please.", start=0.5, end=1.5)
            + line("语音转写：", "gone.wav")
            + line("语音转写：", wav / "spk0-utt0.wav", key="back", start=2, end=1)
            + "{broken\n"
        )
        found = read(monkeypatch, "--input-jsonl", tmp_path / "set.jsonl", "--hotwords", "Tom")
        assert [r.key for r in found] == ["a", "set-00000002", "set-00000003", "back", "set-00000005"]
        assert found[0].instruction == Instruction("语音转写：")
        assert found[1].instruction == Instruction("Transcribe: ", " Please.")
        assert [r.error and r.error.reason for r in found[2:]] == ["audio-missing", "segment-invalid", "jsonl-invalid"]
        assert [h.text for h in decode.decode(Echo(), found)] == ["12800", "16000", "", "", ""]

    def test_an_empty_list_is_an_error(self, tmp_path, monkeypatch):
        (tmp_path / "wav.scp").write_text("\n")
        with pytest.raises(RecipeError, match="no entries"):
            read(monkeypatch, "--scp-file", tmp_path / "wav.scp")

    def test_words_after_the_audio_reach_the_model(self, full_model, data_dir):
        engine = TransformersEngine(model.load(full_model))
        before, behind = (engine.prepare("k", tone(1.0), Instruction("转写：", after)) for after in ("", "谢谢"))
        assert len(behind.example.input_ids) > len(before.example.input_ids)


class TestCommandLine:
    def command(self, directory, output, *flags):
        return [
            sys.executable, ROOT / "scripts/decode.py", "--model-dir", directory, "--output-file", output, *flags
        ]  # fmt: skip

    def test_it_writes_text_and_details_and_counts_errors(self, full_model, data_dir, tmp_path):
        with open(data_dir / "wav.scp", "a") as file:
            file.write("zz-gone wav/gone.wav\n")
        command = self.command(
            full_model, tmp_path / "hyp" / "text", "--scp-file", data_dir / "wav.scp",
            "--subtitles-dir", tmp_path / "subtitles", "--max-seconds", "2", "--threads", "1",
        )  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 3 and "1 ended by error" in done.stderr, done.stderr
        lines = (tmp_path / "hyp" / "text").read_text().splitlines()
        assert len(lines) == 9 and lines[-1] == "zz-gone\t"
        details = [json.loads(line) for line in (tmp_path / "hyp" / "text.jsonl").read_text().splitlines()]
        assert [d["key"] for d in details] == [line.split("\t")[0] for line in lines]
        assert details[-1]["ended"] == "error" and details[0]["duration"] == 0.8
        assert len(details[7]["pieces"]) == 2
        assert (tmp_path / "subtitles" / "spk1-utt7.vtt").read_text().startswith("WEBVTT")
        strict = subprocess.run([*command, "--strict"], capture_output=True, text=True)
        assert strict.returncode == 2 and "zz-gone" in strict.stderr

    def test_shards_follow_each_other_and_lose_nothing(self, monkeypatch):
        part = stage(monkeypatch, "decode", "--model-dir", "m", "--output-file", "o", "--scp-file", "w")[0].part
        for count in (1, 3, 7, 12):
            parts = [range(*part(10, i, count)) for i in range(1, count + 1)]
            assert list(itertools.chain(*parts)) == list(range(10))

    def test_subtitles_of_segments_are_those_of_their_recording(self, full_model, data_dir, tmp_path):
        (data_dir / "segments").write_text("b spk0-utt0 0.5 -1\na spk0-utt0 0 0.5\nc spk1-utt7 1 2\n")
        command = self.command(
            full_model, tmp_path / "text", "--scp-file", data_dir / "wav.scp",
            "--subtitles-dir", tmp_path / "subtitles",
        )  # fmt: skip
        assert subprocess.run(command, capture_output=True).returncode == 0
        assert [line.split("\t")[0] for line in (tmp_path / "text").read_text().splitlines()] == ["b", "a", "c"]
        texts = dict(line.split("\t") for line in (tmp_path / "text").read_text().splitlines())
        assert {file.name for file in (tmp_path / "subtitles").glob("*.srt")} == {"spk0-utt0.srt", "spk1-utt7.srt"}
        lines = (tmp_path / "subtitles" / "spk0-utt0.srt").read_text().splitlines()
        assert lines == [
            "1", "00:00:00,000 --> 00:00:00,500", texts["a"], "", "2", "00:00:00,500 --> 00:00:00,800", texts["b"], "",
        ]  # fmt: skip
        refused = subprocess.run([*command, "--shard", "1/2"], capture_output=True, text=True)
        assert refused.returncode == 2 and "--shard" in refused.stderr

    def test_recordings_of_a_folder_are_found_with_keys_of_their_paths(self, tmp_path):
        for name in ("b.wav", "sub dir/a.flac", "b.mp3", "notes.txt"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(b"")
        assert list(recordings.find(tmp_path)) == ["b.mp3", "b.wav", "sub_dir/a"]


@pytest.mark.parametrize(("gigabytes", "seconds"), [(8, 800), (24, 2400), (140, 2400)])
def test_batches_grow_with_the_memory_of_a_gpu_up_to_a_limit(gigabytes, seconds, monkeypatch):
    properties = types.SimpleNamespace(total_memory=gigabytes * 10**9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    assert decode.batch_seconds_for(torch.device("cuda")) == seconds
    assert decode.batch_seconds_for(torch.device("cpu")) == DecodingOptions().batch_seconds
