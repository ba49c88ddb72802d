"""What is told about a suspect."""

import pytest

from recipe.suspects import kinds
from recipe.suspects.kinds import Heard, Other, kind
from recipe.suspects.lookup import Asked

TEXT, SAID = "turnonthelightinthehall", "callannatomorrowatnine"
NEAR = Other("next", "train/s", 11, "anna", SAID)


def heard(text=TEXT, hypothesis=SAID, **more):
    return Heard("key", "train/s", 10, "anna", text, hypothesis, **more)


@pytest.mark.parametrize(
    ("one", "others", "expected"),
    [
        (heard(), [NEAR], kinds.SHIFTED),
        (heard(), [NEAR._replace(place=500)], kinds.SWAPPED),
        (heard(), [NEAR._replace(place=500, speaker="bob")], kinds.OTHERS),
        (heard(), [NEAR._replace(set="test/s", speaker="bob")], kinds.OTHERS),
        (heard(hypothesis="turnonthe"), [], kinds.CUT),
        (heard(text="tomorrowat"), [NEAR], kinds.MISSING),
        (heard(hypothesis="打开厨房的灯"), [], kinds.LANGUAGE),
        (heard(hypothesis=""), [NEAR], kinds.SILENCE),
        (heard(speech=False), [NEAR], kinds.SILENCE),
        (heard(twin="copy"), [], kinds.DUPLICATE),
        (heard(hypothesis="whatistheweather", cut=True), [], kinds.CUT),
        (heard(hypothesis=TEXT), [NEAR], kinds.NORMALIZATION),
        (heard(hypothesis="whatistheweather"), [NEAR], kinds.UNCLEAR),
        (heard(hypothesis="callhannahtomorrowatfive"), [NEAR], kinds.SHIFTED),
    ],
)
def test_kinds(one, others, expected):
    assert kind(one, others)[0] == expected


def test_where_speakers_are_not_known_another_line_is_a_swapped_one():
    one, other = heard()._replace(speaker=None), NEAR._replace(place=500, speaker=None)
    assert kind(one, [other])[0] == kinds.SWAPPED


def test_the_detail_names_the_line_and_how_far_it_is():
    assert kind(heard(), [NEAR])[1] == "next has what is heard, 1 line further"


def test_an_index_finds_the_transcript_among_thousands():
    asked = Asked([heard(hypothesis="callhannatomorrowatnine")])
    for n in range(3000):
        asked.see(Other(f"k{n}", "test/s", n, "bob", f"number{n}turnleftat{n * 7}"))
    asked.see(NEAR._replace(place=500))
    asked.see(Other("key", "train/s", 10, "anna", TEXT))
    [(one, others)] = asked.candidates()
    assert "next" in {other.key for other in others}
    assert len(others) < 20 and kind(one, others)[0] == kinds.SWAPPED


def test_the_same_text_is_found_near_by_first():
    asked = Asked([heard()])
    for place, speaker in ((900, "bob"), (11, "anna"), (800, "anna")):
        asked.see(Other(f"k{place}", "train/s", place, speaker, SAID))
    [(one, others)] = asked.candidates()
    assert kind(one, others) == (kinds.SHIFTED, "k11 has what is heard, 1 line further")
