"""score.json and the aligned utterances: rates, groups, intervals, comparison, hotwords and flags."""

import hashlib
import json
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipe.files import RecipeError
from recipe.score.align import edits
from recipe.score.annotations import duration_name
from recipe.score.matched_pairs import MatchedPairs
from recipe.score.policy import ScoringPolicy
from recipe.score.run import ScoreInputs, score_files
from recipe.score.significance import difference, rate_interval
from recipe.score.spread import resample
from recipe.score.tokens import tokenize
from recipe.score.units import Units
from recipe.text.loops import loops


@pytest.fixture
def score(tmp_path):
    """Score texts and tables given by the name of their input; returns score.json and the rows of utterances."""

    def run(policy: ScoringPolicy | None = None, **texts: str) -> tuple[dict, list[dict]]:
        for name, text in texts.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        inputs = ScoreInputs(**{name: str(tmp_path / name) for name in texts})
        outputs = [str(tmp_path / name) for name in ("cer.txt", "score.json", "rows.jsonl")]
        score_files(inputs, policy or ScoringPolicy(), *outputs)
        rows = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
        return json.loads((tmp_path / "score.json").read_text(encoding="utf-8")), [json.loads(row) for row in rows]

    return run


def counts(value: dict) -> tuple:
    return tuple(value[name] for name in ("n", "cor", "sub", "del", "ins"))


class TestRates:
    def test_mixed_tokens_characters_and_words(self, score):
        result, _ = score(ref="a 我要 two tickets\n", hyp="a 我 too tickets\n")
        assert counts(result["mer"]) == (4, 2, 1, 1, 0)
        assert counts(result["cer"]) == (12, 10, 1, 1, 0)
        assert counts(result["wer"]) == (3, 1, 2, 0, 0)
        assert result["mer"]["rate"] == 0.5
        assert result["ser"] == {"rate": 1.0, "n": 1, "err": 1}

    def test_punctuation_decides_for_words_even_where_the_mixed_tokens_agree(self, score):
        result, _ = score(ref="a well - known\n", hyp="a well-known\n")
        assert counts(result["mer"]) == (3, 3, 0, 0, 0)
        assert counts(result["wer"]) == (3, 0, 1, 2, 0)

    def test_without_reference_tokens_a_rate_is_null(self, score):
        result, _ = score(ref="a\nb\n", hyp="a noise\nb\n")
        for name in ("mer", "cer", "wer"):
            assert result[name]["rate"] is None
            assert result[name]["ci"] is None
        assert result["mer"]["ins"] == 1
        assert result["by_cluster"]["English"] == {
            **{"rate": None, "n": 0, "cor": 0, "sub": 0, "del": 0, "ins": 1},
            "utterances": 0,
        }

    def test_utterances_are_accounted_for(self, score):
        result, _ = score(ScoringPolicy(extra="ignore"), ref="a x\nb y\nc\na x\nd z\n", hyp="a x\na x\nb\nc\ne\nf t\n")
        assert result["utterances"] == {
            **{"ref": 4, "scored": 4, "missing": 1, "extra": 2, "empty_ref": 1, "empty_hyp": 2},
            **{"repeated_ref": 1, "repeated_hyp": 1, "rejected": 0},
        }

    def test_clusters_add_up_to_the_whole(self, score):
        result, _ = score(ref="a 你好 world 25 かな мир\n", hyp="a 您 word 25 , かに 26\n")
        total = Counter()
        for cluster in result["by_cluster"].values():
            total.update({name: cluster[name] for name in ("n", "cor", "sub", "del", "ins")})
        assert counts(total) == counts(result["mer"])

    def test_errors_are_listed_by_frequency_then_name(self, score):
        result, _ = score(ref="a b b c d d e\nb b\n", hyp="a x x y e f f\nb x\n")
        assert result["confusions"][0] == ["B", "X", 3]
        assert result["deletions"] == sorted(result["deletions"], key=lambda item: (-item[1], item[0]))
        assert sum(item[1] for item in result["insertions"]) == result["mer"]["ins"]


class TestGroups:
    def test_utterances_are_grouped_by_their_tables(self, score):
        result, rows = score(
            ref="a x y\nb x y\nc x y\nd x y\n",
            hyp="a x y\nb x\nc z z\nd x y\n",
            utt2spk="a s2\nb s1\nc s1\nd s2\n",
            utt2lang="a en\nb en\nc zh\n",
            utt2group="a home\nb car\nc car\nd home\n",
            durations='{"key": "a", "duration": 1.99}\n{"key": "b", "duration": 2}\n'
            '{"key": "c", "speech_length": 3000}\n',
        )
        assert {name: counts(value) for name, value in result["by_speaker"].items()} == {
            "s1": (4, 1, 2, 1, 0),
            "s2": (4, 4, 0, 0, 0),
        }
        assert list(result["by_language"]) == ["en", "unknown", "zh"]
        assert result["by_group"]["car"]["rate"] == 0.75
        assert result["by_group"]["car"]["utterances"] == 2
        assert list(result["by_duration"]) == ["0-2 s", "2-5 s", "30 s and more", "unknown"]
        assert rows[0]["speaker"] == "s2"
        assert rows[0]["duration"] == "0-2 s"
        assert "language" not in rows[3]

    def test_without_tables_there_are_no_groups(self, score):
        result, _ = score(ref="a x\n", hyp="a x\n")
        assert [result[f"by_{name}"] for name in ("language", "speaker", "group", "duration")] == [{}, {}, {}, {}]

    @pytest.mark.parametrize(("seconds", "name"), [(0, "0-2 s"), (4.99, "2-5 s"), (30, "30 s and more")])
    def test_a_duration_group_starts_with_its_lower_end(self, seconds, name):
        assert duration_name(seconds) == name

    @pytest.mark.parametrize("value", ['"long"', "-1", "NaN", "Infinity", "[]"])
    def test_a_duration_that_is_none_is_an_error_that_names_the_line(self, score, value):
        with pytest.raises(RecipeError, match="durations:1: "):
            score(ref="a x\n", hyp="a x\n", durations=f'{{"key": "a", "duration": {value}}}\n')


class TestIntervals:
    def test_an_interval_holds_the_rate_and_is_the_same_each_time(self, score):
        draw = random.Random(1)
        hyp = "".join(f"{key} {' '.join(draw.choice('xxxy') for _ in range(10))}\n" for key in range(60))
        ref = "".join(f"{key} {' x' * 10}\n" for key in range(60))
        result, _ = score(ref=ref, hyp=hyp)
        low, high = result["mer"]["ci"]
        assert low < result["mer"]["rate"] < high
        assert 0.05 < high - low < 0.12  # 600 independent tokens, a quarter wrong: 2 * 1.96 * sqrt(3/16 / 600) = 0.069
        assert score(ref=ref, hyp=hyp)[0]["mer"]["ci"] == [low, high]

    def test_it_equals_drawing_the_utterances_one_by_one(self):
        generator = np.random.default_rng(3)
        n, errors = generator.integers(1, 30, 400), generator.integers(0, 6, 400)
        units = Units()
        for total, wrong in zip(n.tolist(), errors.tolist(), strict=True):
            units.add(None, (max(total - wrong, 0), min(wrong, total), 0, max(wrong - total, 0)))
        drawn = generator.integers(0, 400, (4000, 400))
        plain = np.percentile(errors[drawn].sum(1) / n[drawn].sum(1), [2.5, 97.5])
        assert rate_interval(units, 4000, 0) == pytest.approx(plain, abs=0.004)

    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=30))
    def test_every_sample_draws_as_many_units_as_there_are(self, values):
        cells = Counter((1, *value) for value in values)
        sums = resample(cells, 50, 0)
        assert sums.shape == (50, 3)
        assert (sums[:, 0] == len(values)).all()

    def test_speakers_are_drawn_where_they_are_known(self, score):
        ref = "".join(f"{key} a b c d\n" for key in range(40))
        hyp = "".join(f"{key} {'a b c d' if key < 20 else 'x y z t'}\n" for key in range(40))
        by_utterance, _ = score(ref=ref, hyp=hyp)
        by_speaker, _ = score(ref=ref, hyp=hyp, utt2spk="".join(f"{key} s{key // 10}\n" for key in range(40)))
        one_speaker, _ = score(ref=ref, hyp=hyp, utt2spk="".join(f"{key} s\n" for key in range(40)))
        widths = [result["mer"]["ci"][1] - result["mer"]["ci"][0] for result in (by_utterance, by_speaker, one_speaker)]
        assert widths[1] > 2 * widths[0]
        assert widths[2] == widths[0]
        units = [result["settings"]["unit"] for result in (by_utterance, by_speaker, one_speaker)]
        assert units == ["utterance", "speaker", "utterance"]

    def test_it_is_no_narrower_than_that_of_the_utterances_where_two_speakers_agree(self, score):
        ref = "".join(f"{key} a b c d e\n" for key in range(100))
        hyp = "".join(f"{key} {'a b c d e' if key % 5 else 'x y z t e'}\n" for key in range(100))
        alone, _ = score(ref=ref, hyp=hyp)
        two, _ = score(ref=ref, hyp=hyp, utt2spk="".join(f"{key} s{key // 50}\n" for key in range(100)))
        assert [counts(value) for value in two["by_speaker"].values()] == [(250, 210, 40, 0, 0)] * 2
        assert two["mer"]["ci"] == pytest.approx(alone["mer"]["ci"], abs=0.01)

    def test_a_set_without_errors_may_have_some_elsewhere(self, score):
        text = "".join(f"{key} a b c d\n" for key in range(50))
        low, high = score(ref=text, hyp=text)[0]["mer"]["ci"]
        assert (low, high) == (0, pytest.approx(1.96**2 / 200, abs=1e-4))

    def test_large_speakers_count_for_more_and_make_it_less_sure(self):
        """Twenty speakers of whom one says two thirds say little more than that one."""

        def width(tokens: list[int]) -> float:
            units = Units()
            for speaker, n in enumerate(tokens):
                errors = n // 5 if speaker % 2 else n // 10
                units.add(str(speaker), (n - errors, errors, 0, 0))
                units.add(str(speaker), (n - errors, errors, 0, 0))
            low, high = rate_interval(units, 1000, 0)
            return high - low

        assert width([4000, *[100] * 19]) > 2 * width([300] * 20)

    def test_one_unit_or_no_samples_give_no_interval(self, score):
        assert score(ref="a x\n", hyp="a y\n")[0]["mer"]["ci"] is None
        assert score(ScoringPolicy(bootstrap=0), ref="a x\nb x\n", hyp="a y\nb y\n")[0]["mer"]["ci"] is None


class TestComparison:
    REF = "".join(f"{key} a b c d e f\n" for key in range(50))

    def hyp(self, wrong: int) -> str:
        """Hypotheses with one error in the first `wrong` utterances."""
        return "".join(f"{key} {'x' if key < wrong else 'a'} b c d e f\n" for key in range(50))

    def test_a_better_system_is_found_better(self, score):
        result, _ = score(ref=self.REF, hyp=self.hyp(5), compare=self.hyp(30))
        compare = result["compare"]
        assert compare["other"]["mer"]["rate"] == pytest.approx(30 / 300)
        difference = compare["difference"]["mer"]
        assert difference["value"] == pytest.approx(-25 / 300)
        assert difference["relative"] == pytest.approx(-25 / 30)
        assert difference["ci"][0] < -25 / 300 < difference["ci"][1] < 0
        assert difference["probability_of_improvement"] == 1.0
        assert compare["matched_pairs"]["p"] < 0.001
        assert compare["matched_pairs"]["z"] < 0
        assert compare["utterances"] == {"better": 25, "equal": 25, "worse": 0, "missing": 0, "extra": 0}

    def test_exchanging_the_systems_turns_the_sign(self, score):
        one = score(ref=self.REF, hyp=self.hyp(5), compare=self.hyp(9))[0]["compare"]
        two = score(ref=self.REF, hyp=self.hyp(9), compare=self.hyp(5))[0]["compare"]
        assert one["difference"]["mer"]["value"] == -two["difference"]["mer"]["value"]
        assert one["matched_pairs"]["z"] == -two["matched_pairs"]["z"]
        assert one["matched_pairs"]["p"] == two["matched_pairs"]["p"]
        chances = [value["difference"]["mer"]["probability_of_improvement"] for value in (one, two)]
        assert sum(chances) == pytest.approx(1)

    def test_a_system_is_no_better_than_itself(self, score):
        compare = score(ref=self.REF, hyp=self.hyp(9), compare=self.hyp(9))[0]["compare"]
        assert compare["difference"]["cer"] == {
            **{"value": 0.0, "relative": 0.0, "ci": [0.0, 0.0]},
            **{"p": 1.0, "probability_of_improvement": 0.5},
        }
        assert compare["matched_pairs"] == {"segments": 9, "mean": 0.0, "sd": 0.0, "z": 0.0, "p": 1.0}

    def test_the_policies_hold_for_the_other_system_too(self, score):
        with pytest.raises(RecipeError, match="compare: 1 keys are not in"):
            score(ref="a x\n", hyp="a x\n", compare="a x\nb x\n")
        assert score(ref="a x\nb x\n", hyp="a x\nb x\n", compare="a x\n")[0]["compare"]["utterances"] == {
            **{"better": 1, "equal": 1, "worse": 0},
            **{"missing": 1, "extra": 0},
        }

    def test_segments_end_where_both_systems_have_two_tokens_right(self):
        ref = list("abcdefghij")
        pairs = MatchedPairs()
        # Errors at b (ours), d (the other's: only c between, same segment), h (ours: e f g between, a new segment).
        pairs.add(edits(ref, list("aXcdefgXij")), edits(ref, list("abcXefghij")))
        assert pairs.result()["segments"] == 2
        # An insertion has a place of its own: a, then X before b, and d with b c right between.
        pairs = MatchedPairs()
        pairs.add(edits(ref, list("aXbcXefghij")), edits(ref, ref))
        result = pairs.result()
        assert result["segments"] == 2
        assert result["mean"] == 1

    def test_z_is_the_mean_difference_by_its_standard_error(self):
        pairs = MatchedPairs()
        for ours, others in ((1, 0), (2, 1), (0, 3), (1, 1)):
            pairs.add([("replace", 0, 0)] * ours, [("replace", 0, 0)] * others)
        values = np.array([1, 1, -3, 0])
        result = pairs.result()
        assert result["z"] == pytest.approx(values.mean() / (values.std(ddof=1) / 2))
        assert result["p"] == pytest.approx(0.7917, abs=1e-4)  # 2 (1 - Phi(0.2641))

    def test_a_difference_by_speakers_pairs_the_systems(self):
        units = Units()
        for speaker in range(20):  # the rates of speakers differ widely, but ours is better by one error for each
            units.add(str(speaker), (50, speaker, speaker + 1))
            units.add(str(speaker), (50, speaker, speaker + 1))
        result = difference(units, 500, 0)
        assert result["ci"] == [-0.02, -0.02]
        assert result["probability_of_improvement"] == 1.0


class TestHotwords:
    def test_recall_and_precision(self, score):
        result, _ = score(
            ref="a call anna lee now\nb ring bob bob\nc nothing here\n",
            hyp="a call anna lee lee\nb ring bob rob\nc anna lee here\n",
            hotwords="a Anna Lee,Bob\nb bob，Rob\nc anna lee, carol\n",
        )
        hotwords = result["hotwords"]
        assert (hotwords["ref"], hotwords["hyp"], hotwords["hits"]) == (3, 4, 2)
        assert hotwords["recall"] == pytest.approx(2 / 3)
        assert hotwords["precision"] == pytest.approx(2 / 4)
        assert hotwords["f1"] == pytest.approx(4 / 7)
        assert hotwords["words"] == [["BOB", 2, 1, 1], ["ANNA LEE", 1, 2, 1], ["ROB", 0, 1, 0]]

    def test_a_star_has_the_words_of_utterances_that_are_not_listed(self, score):
        hotwords = "a anna\nb\n* bob\n"
        result, _ = score(ref="a anna bob\nb bob\nc bob\n", hyp="a anna bob\nb bob\nc bob\n", hotwords=hotwords)
        assert result["hotwords"]["words"] == [["ANNA", 1, 1, 1], ["BOB", 1, 1, 1]]

    def test_a_hotword_is_found_in_whole_tokens_only(self, score):
        result, _ = score(ref="a 打开空调 anna\n", hyp="a 打开空调 annabel\n", hotwords="a 空调,anna\n")
        assert result["hotwords"]["words"] == [["ANNA", 1, 0, 0], ["空 调", 1, 1, 1]]

    def test_without_any_the_rates_are_null(self, score):
        assert score(ref="a x\n", hyp="a x\n", hotwords="a y\n")[0]["hotwords"]["recall"] is None
        assert score(ref="a x\n", hyp="a x\n")[0]["hotwords"] is None


class TestFlags:
    def test_what_the_decoder_says_is_counted(self, score):
        details = [
            {"key": "a", "text": "x", "ended": "eos", "tokens": 2, "duration": 1.0},
            {"key": "b", "text": "x", "ended": "length", "tokens": 9, "duration": 3.0},
            {"key": "c", "text": "", "ended": "error", "duration": 0.0, "error": "unreadable"},
            {"key": "d", "text": "x", "ended": "eos", "flags": ["quiet", "looping"]},
        ]
        result, rows = score(
            ref="a x\nb x\nc x\nd x\n",
            hyp="a x\nb x\nc\nd x\n",
            hyp_jsonl="".join(json.dumps(value) + "\n" for value in details),
        )
        flags = {name: value["keys"] for name, value in result["flags"].items() if value["count"]}
        assert flags == {
            "truncated": ["b"],
            "error": ["c"],
            "empty_hypothesis": ["c"],
            "looping": ["d"],
            "quiet": ["d"],
        }
        assert [row["flags"] for row in rows] == [
            [],
            ["truncated"],
            ["empty_hypothesis", "error"],
            ["looping", "quiet"],
        ]
        assert {name: value["utterances"] for name, value in result["by_duration"].items()} == {
            "0-2 s": 2,
            "2-5 s": 1,
            "unknown": 1,
        }

    def test_the_texts_themselves_tell_of_silence_loops_and_gaps(self, score):
        result, _ = score(
            ref="silent\nloop so we go on\nempty x\nmissing x\nsame " + "ha " * 12 + "\n",
            hyp="silent thank you\nloop so " + "we go " * 9 + "\nempty\nsame " + "ha " * 12 + "\n",
        )
        flags = {name: value["keys"] for name, value in result["flags"].items() if value["count"]}
        assert flags == {
            "missing": ["missing"],
            "empty_hypothesis": ["empty"],
            "text_without_reference": ["silent"],
            "looping": ["loop"],
        }

    @pytest.mark.parametrize(
        ("text", "loop"),
        [
            ("a " * 9, False),
            ("a " * 10, True),
            ("a b " * 4, False),
            ("a b " * 5, True),
            ("x y " + "a b c " * 5 + "z", True),
            ("a b c " * 4 + "a b x", False),
            (" ".join(map(str, range(31))) * 5, False),
            (" ".join(map(str, range(100))), False),
            ("", False),
        ],
    )
    def test_a_loop_is_a_phrase_said_five_times(self, text, loop):
        assert loops(text.split()) is loop

    def test_only_the_first_keys_are_listed(self, score):
        result, _ = score(ref="".join(f"{key:03} x\n" for key in range(80)), hyp="\n")
        assert result["flags"]["missing"]["count"] == 80
        assert result["flags"]["missing"]["keys"] == [f"{key:03}" for key in range(50)]

    @pytest.mark.parametrize(
        "bad", ['{"text": "x"}', '{"key": "a", "ended": "who knows"}', '{"key": "a", "flags": "x"}']
    )
    def test_details_of_another_form_are_an_error_that_names_the_line(self, score, bad):
        with pytest.raises(RecipeError, match="hyp_jsonl:2: "):
            score(ref="a x\n", hyp="a x\n", hyp_jsonl='{"key": "b"}\n' + bad + "\n")

    def test_details_of_another_decoding_are_noticed(self, score, caplog):
        score(ref="a x\n", hyp="a x\n", hyp_jsonl='{"key": "b", "ended": "eos"}\n')
        assert "has no details of 1 hypotheses" in caplog.text


class TestRecord:
    def test_settings_versions_and_hashes_are_recorded(self, score):
        result, _ = score(ScoringPolicy(mode="faithful", bootstrap=10), ref="a x\n", hyp="a x\n", utt2lang="a en\n")
        assert result["format"] == 1
        assert result["settings"]["mode"] == "faithful"
        assert result["settings"]["bootstrap"] == 10
        named = ("normalization", "counting", "intervals", "python", "unicode", "rapidfuzz", "numpy")
        assert list(result["versions"]) == list(named)
        assert (result["versions"]["counting"], result["versions"]["intervals"]) == (2, 2)
        assert result["settings"]["single_digits"] is True
        assert list(result["inputs"]) == ["ref", "hyp", "utt2lang"]
        assert result["inputs"]["ref"] == {"file": "ref", "sha256": hashlib.sha256(b"a x\n").hexdigest()}

    def test_rows_hold_counts_texts_and_alignments(self, score):
        _, rows = score(ref="a Ha, 一 你 x\nb y\n", hyp="a ha 一 您 x z\n")
        assert rows == [
            {
                **{"key": "a", "n": 5, "cor": 3, "sub": 1, "del": 1, "ins": 1, "flags": []},
                **{"ref": "Ha, 一 你 x", "hyp": "ha 一 您 x z"},
                "alignment": [
                    *(["C", "HA", "HA"], ["D", ",", ""], ["C", "一", "一"]),
                    *(["S", "你", "您"], ["C", "X", "X"], ["I", "", "Z"]),
                ],
            },
            {
                **{"key": "b", "n": 1, "cor": 0, "sub": 0, "del": 1, "ins": 0, "flags": ["missing"]},
                **{"ref": "y", "hyp": ""},
                "alignment": [["D", "Y", ""]],
            },
        ]


class TestDigits:
    """In texts of faithful mode every digit counts, and numbers are found whole."""

    FAITHFUL = ScoringPolicy(mode="faithful", bootstrap=0)

    @pytest.mark.parametrize(
        ("text", "tokens"),
        [
            ("1234", "1 2 3 4"),
            ("1980s", "1 9 8 0S"),
            ("mp3 b2b", "MP3 B2B"),
            ("9:15 -5 1.5", "9 : 1 5 - 5 1 . 5"),
            ("在20楼", "在 2 0 楼"),
            ("१२ km", "१ २ KM"),
            ("rock'n'roll '99", "ROCK'N'ROLL ' 9 9"),
        ],
    )
    def test_a_number_is_cut_between_its_digits(self, text, tokens):
        assert tokenize(text, self.FAITHFUL).mixed == tokens.split()

    @pytest.mark.parametrize("mode", ["compatible", "raw", None])
    def test_other_texts_are_counted_as_the_package_counts_them(self, mode):
        found = tokenize("1980s 12 9:15", ScoringPolicy(mode=mode))
        assert found.mixed == found.whole == ["1980S", "12", "9", ":", "15"]

    def test_one_wrong_digit_of_eight_is_an_eighth(self, score):
        result, rows = score(self.FAITHFUL, ref="a 40271893\n", hyp="a 40271898\n")
        assert counts(result["mer"]) == (8, 7, 1, 0, 0)
        assert result["confusions"] == [["3", "8", 1]] and result["by_cluster"]["Number"]["n"] == 8
        assert counts(result["cer"]) == (8, 7, 1, 0, 0) and counts(result["wer"]) == (1, 0, 1, 0, 0)
        assert [step[0] for step in rows[0]["alignment"]] == list("CCCCCCCS")

    def test_digits_said_apart_or_together_are_the_same(self, score):
        result, _ = score(self.FAITHFUL, ref="a dial 5 0 7\n", hyp="a dial 507\n")
        assert counts(result["mer"]) == (4, 4, 0, 0, 0)

    @pytest.mark.parametrize(("ref", "hyp"), [("9:15", "915"), ("1.5", "15"), ("-5", "5"), ("9:15", "9.15")])
    def test_a_sign_in_a_number_is_an_error_as_a_digit_is(self, score, ref, hyp):
        result, _ = score(self.FAITHFUL, ref=f"a {ref}\n", hyp=f"a {hyp}\n")
        assert result["mer"]["sub"] + result["mer"]["del"] + result["mer"]["ins"] == 1

    def test_a_hotword_is_a_whole_number_however_it_is_written(self, score):
        result, _ = score(
            self.FAITHFUL,
            ref="a take 360 or 1360\nb gate 36 0\nc room 36\nd line 3 6 0 1\n",
            hyp="a take 3 60 or 1360\nb gate 360\nc room 36\nd line 36 01\n",
            hotwords="* 360,gate 360,room 36\n",
        )
        # 36 01 has the digits, but not as a number of its own.
        assert result["hotwords"]["words"] == [["360", 3, 2, 2], ["GATE 360", 1, 1, 1], ["ROOM 36", 1, 1, 1]]

    def test_a_large_number_is_no_loop(self, score):
        result, _ = score(self.FAITHFUL, ref="a many\n", hyp="a 1000000000000000000\n")
        assert result["flags"]["looping"]["count"] == 0
