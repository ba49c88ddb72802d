"""Subtitles: both formats, times, and what is left out."""

import pytest

from recipe.decode import subtitles
from recipe.decode.subtitles import Cue
from recipe.files import RecipeError


def test_subrip_counts_the_subtitles_that_have_text():
    cues = [Cue(0.0, 1.5, "one"), Cue(1.5, 2.0, ""), Cue(3661.0005, 3662.0499, "二")]
    assert subtitles.srt(cues) == [
        "1", "00:00:00,000 --> 00:00:01,500", "one", "",
        "2", "01:01:01,000 --> 01:01:02,050", "二", "",
    ]  # fmt: skip


def test_webvtt_escapes_what_would_be_a_tag():
    assert subtitles.vtt([Cue(0, 59.9996, "a < b --> c & d")]) == [
        "WEBVTT", "", "00:00:00.000 --> 00:01:00.000", "a &lt; b --&gt; c &amp; d", "",
    ]  # fmt: skip


def test_a_subtitle_stands_as_long_as_the_speech_of_its_piece():
    assert subtitles.cue(10.0, 20.0, "x", (12.0, 15.0)) == Cue(11.8, 15.2, "x")
    assert subtitles.cue(10.0, 20.0, "x", (10.1, 19.9)) == Cue(10.0, 20.0, "x")
    assert subtitles.cue(10.0, 20.0, "x") == Cue(10.0, 20.0, "x")


def test_keys_with_slashes_stay_in_the_folder(tmp_path):
    subtitles.write(tmp_path, "a/../b", [Cue(0, 1, "x")])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a_.._b.srt", "a_.._b.vtt"]


def test_keys_with_the_same_files_are_refused():
    subtitles.check_keys(lambda: ["a/b", "a/b", "a_c"])
    with pytest.raises(RecipeError, match="subtitles of a/b and a_b would be the same file"):
        subtitles.check_keys(lambda: ["a/b", "a_b"])
