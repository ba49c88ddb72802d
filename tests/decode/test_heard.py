"""Words of hypotheses with times and confidences: where they come from, and that texts stay what they are."""

import logging
import shutil
from dataclasses import replace

import made_ctc
import pytest
from conftest import write_data

from recipe.data.join import Entry
from recipe.decode import engines, hypotheses, requests
from recipe.decode import run as decode
from recipe.decode.engines import Instruction
from recipe.files import RecipeError, read_json, write_json
from recipe.model.generate import Limits
from recipe.text.words import split

WIDTH = 32
# A random model writes until it is stopped, and longer texts than fit into the audio.
SHORT = decode.DecodingOptions(limits=Limits(base=2, per_second=1.0))


@pytest.fixture(scope="module")
def branched(tmp_path_factory, full_model):
    """A model directory with a random CTC branch."""
    folder = shutil.copytree(full_model, tmp_path_factory.mktemp("branched") / "model")
    made_ctc.write(folder, WIDTH)
    return folder


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    write_data(folder / "data", 5)
    files = sorted((folder / "data/wav").iterdir())
    return requests.probe(Entry(i, file.stem, str(file), prompt=Instruction().text) for i, file in enumerate(files, 1))


def decoded(model, asked, **settings):
    return decode.decode(engines.load("transformers", model, **settings), asked, SHORT)


def test_words_have_times_where_there_is_a_branch_and_texts_do_not_change(branched, full_model, asked, caplog):
    with caplog.at_level(logging.INFO):
        without = decoded(full_model, asked)
    assert caplog.text.count("has no CTC branch, so that no word has a time") == 1
    found = decoded(branched, asked)
    assert [one.text for one in found] == [one.text for one in without]
    assert any(word.timed for one in found for word in one.words)
    for one in found:
        assert [word.word for word in one.words] == [one.text[a:b] for a, b in split(one.text)]
        timed = [word for word in one.words if word.timed]
        assert all(0 <= word.start <= word.end <= one.duration + 0.1 for word in timed)
        assert [word.start for word in timed] == sorted(word.start for word in timed)
        assert all(0 <= word.confidence <= 1 for word in one.words)
        assert hypotheses.Hypothesis.from_json(one.to_json()) == one
    assert not any(word.timed for one in without for word in one.words)
    assert [one.confidence for one in without] == [one.confidence for one in found]
    assert not any(word.timed for one in decoded(branched, asked, word_times=False) for word in one.words)


def test_times_of_a_piece_count_from_the_start_of_the_recording(branched, asked):
    last = asked[-1]
    part = replace(last, start=0.4, end=last.duration, duration=last.duration - 0.4)
    [found] = decoded(branched, [part])
    assert all(0.4 <= word.start <= word.end <= last.duration + 0.1 for word in found.words if word.timed)


def test_times_that_have_to_be_need_a_branch(full_model):
    with pytest.raises(RecipeError, match=r"word_times is true, but .* has no CTC branch"):
        engines.load("transformers", full_model, word_times=True)


def test_a_stale_branch_is_named(branched, tmp_path, caplog):
    folder = shutil.copytree(branched, tmp_path / "model")
    facts = read_json(folder / "recipe.json")
    write_json(folder / "recipe.json", facts | {"ctc": {"trained": False, "stale": True}})
    engines.load("transformers", folder)
    assert "its CTC branch was made for another encoder" in caplog.text


def test_beams_tell_no_confidence(branched, asked):
    [one, *_] = decoded(branched, asked[:1], beams=2)
    assert one.words == () and one.confidence is None
