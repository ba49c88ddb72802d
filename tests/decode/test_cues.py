"""Subtitles by words: limits of lines and times, breaks where a reader expects them; other files of timed words."""

from itertools import pairwise

import pytest

from recipe.decode import subtitles
from recipe.decode.cues import cues
from recipe.decode.heard import HeardWord
from recipe.imports import textgrid
from recipe.text.words import split

ENGLISH = (
    "Good morning, everybody. Today we talk about the harbour, which was built long ago, and about the people who work "
    "there every day of the year without a break. Any questions? Please ask them now, because later there is no time."
)
CHINESE = (
    "今天天气很好，我们一起去公园散步吧。你觉得怎么样？我想可以先吃午饭，然后坐地铁过去，大概需要四十分钟左右的时间。"
)


def timed(text, second=0.3, pauses=()):
    """Words that follow each other; before those numbered in `pauses` two seconds pass."""
    found, place = [], 0.0
    for number, word in enumerate(split(text)):
        place += 2.0 * (number in pauses)
        found.append(HeardWord(text[word.start : word.end], place, place + 0.9 * second))
        place += second
    return found


@pytest.mark.parametrize(("text", "width"), [(ENGLISH, 42), (CHINESE, 16), (ENGLISH.replace(" ", ""), 42)])
@pytest.mark.parametrize("second", [0.12, 0.3, 0.9])
def test_subtitles_have_two_lines_of_a_width_and_one_to_seven_seconds(text, width, second):
    found = cues(text, timed(text, second))
    assert "".join(cue.text for cue in found).replace("\n", "").replace(" ", "") == text.replace(" ", "")
    for cue in found:
        lines = cue.text.split("\n")
        assert len(lines) <= 2 and max(map(len, lines)) <= width
        assert cue.end - cue.start <= 7.001
    unhurried = second >= 0.3 and len(split(text)) > 20
    assert all(cue.end - cue.start >= 0.999 for cue in found) or not unhurried
    assert all(a.end <= b.start for a, b in pairwise(found))


def test_they_end_with_sentences_and_never_last_over_a_pause():
    text = "This is the first sentence of all. This is the second one, and longer than it. Yes. No."
    found = cues(text, timed(text, pauses=(16,)))
    assert all(cue.text.endswith(".") for cue in found)
    assert found[-1].text == "Yes. No." and found[-1].start - found[-2].end > 0.5


def test_a_short_one_is_shown_for_a_second():
    [only] = cues("Yes.", [HeardWord("Yes.", 3.0, 3.2)])
    assert only == (3.0, 4.0, "Yes.")


def test_files_of_words(tmp_path):
    words = [HeardWord('say "a"', 0.5, 0.8, 0.9), HeardWord("b", 0.75, 1.25), HeardWord("c", 1.5, 1.7)]
    assert subtitles.ctm("a key", words) == [
        'a_key 1 0.50 0.30 say_"a" 0.90', "a_key 1 0.75 0.50 b", "a_key 1 1.50 0.20 c",
    ]  # fmt: skip
    subtitles.write_words(tmp_path, "x/y", words, 2.0)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x_y.TextGrid", "x_y.ctm"]
    lines = [line.strip() for line in subtitles.textgrid(words, 2.0)]
    assert [line for line in lines if line.startswith("text")] == [
        'text = ""', 'text = "say ""a"""', 'text = "b"', 'text = ""', 'text = "c"', 'text = ""',
    ]  # fmt: skip
    assert "xmax = 2.000" in lines and "intervals: size = 6" in lines
    [(name, intervals)] = textgrid._tiers(textgrid._Tokens("\n".join(lines)))  # as import_corpus.py reads them
    assert name == "words" and len(intervals) == 6
