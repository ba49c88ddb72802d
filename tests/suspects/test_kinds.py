"""What is told about a suspect."""

import pytest

from recipe.suspects import kinds
from recipe.suspects.kinds import Heard, Other
from recipe.suspects.lookup import Asked

TEXT, SAID = "turnonthelightinthehall", "callannatomorrowatnine"
NEAR = Other("next", "train/s", 11, "anna", SAID)


def kind(one, others):
    """Of a suspect alone."""
    return kinds.kinds([(one, others)])[0]


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
        (heard(text="turnonthehall"), [], kinds.UNCLEAR),
        (heard(text="turnonthehall", hypothesis=TEXT), [], kinds.MISSING),
        (heard(hypothesis="whatistheweather", cut=True), [], kinds.CUT),
        (heard(hypothesis="whatistheweather", deviation=5.0), [], kinds.CUT),
        (heard(hypothesis="whatistheweather", deviation=-5.0), [], kinds.MISSING),
        (heard(hypothesis="whatistheweather", unknown=0.8), [], kinds.LANGUAGE),
        (heard(hypothesis="whatistheweather", clipped=0.05), [], kinds.CLIPPED),
        (heard(hypothesis=TEXT, cut=True), [], kinds.CUT),
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


def looked_up(suspects, lines):
    """What is found for suspects among all lines."""
    asked = Asked(suspects)
    for line in lines:
        asked.count(line.text)
    for line in lines:
        asked.see(line)
    return list(asked.candidates())


def test_an_index_finds_the_transcript_among_thousands():
    lines = [Other(f"k{n}", "test/s", n, "bob", f"number{n}turnleftat{n * 7}") for n in range(3000)]
    lines += [NEAR._replace(place=500), Other("key", "train/s", 10, "anna", TEXT)]
    [(one, others)] = looked_up([heard(hypothesis="callhannatomorrowatnine")], lines)
    assert "next" in {other.key for other in others}
    assert len(others) < 20 and kind(one, others)[0] == kinds.SWAPPED


def test_what_all_say_costs_nothing_and_what_few_say_is_found(monkeypatch):
    monkeypatch.setattr("recipe.suspects.lookup.BUDGET", 2000)
    lines = [Other(f"k{n}", "test/s", n, "bob", "turnonthelight") for n in range(3000)]
    lines += [Other("rare", "test/s", 5000, "bob", "turnonthelightinthezoo")]
    [(_, others)] = looked_up([heard(hypothesis="turnonthelightinazoo")], lines)
    assert "rare" in {other.key for other in others}


def test_the_speakers_own_lines_are_kept_among_many_that_say_the_same():
    lines = [Other(f"k{n}", "train/s", 100 + n, "bob", SAID) for n in range(50)]
    lines += [Other("own", "train/s", 400, "anna", SAID)]
    [(_, others)] = looked_up([heard()], lines)
    assert "own" in {other.key for other in others}


def test_the_same_text_is_found_near_by_first():
    places = ((900, "bob"), (11, "anna"), (800, "anna"))
    lines = [Other(f"k{place}", "train/s", place, speaker, SAID) for place, speaker in places]
    [(one, others)] = looked_up([heard()], lines)
    assert kind(one, others) == (kinds.SHIFTED, "k11 has what is heard, 1 line further")


def test_two_with_each_others_transcript_are_swapped_whatever_else_is_more_like():
    one, other = heard(hypothesis="callannatomorrowatfive"), heard(TEXT)._replace(key="other", place=11)
    other = other._replace(text=SAID, hypothesis=TEXT)
    alike = Other("alike", "train/s", 700, "bob", "callannatomorrowatfive")
    own = [Other(each.key, each.set, each.place, each.speaker, each.text) for each in (one, other)]
    found = kinds.kinds([(one, [own[1], alike]), (other, [own[0], alike])])
    assert found == [
        (kinds.SWAPPED, "other has what is heard, and the other way round"),
        (kinds.SWAPPED, "key has what is heard, and the other way round"),
    ]


def test_lines_that_moved_together_are_shifted_and_so_is_the_one_whose_transcript_moved_away():
    said = ["openthewindow", "callmybrother", "whatstheweather", "stopthemusicnow", "buysomebread"]
    # Lines 1 to 3 have the transcripts of lines 2 to 4, and what was said in the first of them is written nowhere.
    suspects = [Heard(f"k{n}", "train/s", n, "anna", said[n + 1], said[n]) for n in (1, 2, 3)]
    lines = [Other(f"k{n}", "train/s", n, "anna", text) for n, text in enumerate([said[0], *said[2:], said[4]])]
    alike = Other("far", "train/s", 900, "bob", "stopthemusicnow")
    found = kinds.kinds([(one, [*lines, alike]) for one in suspects])
    assert [kind for kind, _ in found] == [kinds.SHIFTED] * 3
    assert found[0][1] == "k2 says what is written, 1 line further"
    assert found[2][1] == "k2 has what is heard, 1 line before"


def test_what_is_too_long_is_cut_unless_another_transcript_is_really_alike():
    other = NEAR._replace(place=500)
    assert kind(heard(hypothesis="callhannahtodayafternine", deviation=6.0), [other])[0] == kinds.CUT
    assert kind(heard(deviation=6.0), [other])[0] == kinds.SWAPPED
