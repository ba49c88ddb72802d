"""The report: what its table says, what its page shows, and that nothing in the data can break it."""

import dataclasses
import itertools
import json
import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, unquote
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from conftest import CHROMIUM
from hypothesis import example, given
from hypothesis import strategies as st

from recipe import charts
from recipe.data.manifest import Utterance
from recipe.files import RecipeError, json_line, write_json, write_lines
from recipe.report import data, findings, listing, page, players, summary, training
from recipe.report import spec as specs
from recipe.report.results import Results
from recipe.score.align import edits
from recipe.score.policy import ScoringPolicy
from recipe.score.run import ScoreInputs, score_files
from recipe.score.tokens import Cached
from recipe.score.utterance import alignment_json, correct_step
from recipe.workflow.config import check, not_default, same_but_seed
from recipe.workflow.config import runs as recipe_runs

SCRIPT = Path(__file__).parents[2] / "scripts" / "report.py"
NASTY = "<script>document.title='owned'</script> </script><!-- \u2028 & \"quoted\" 'é' <img src=x onerror=alert(1)>"
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium")


def counts(rate_n: int, sub: int, dels: int = 0, ins: int = 0, ci=None) -> dict:
    errors = sub + dels + ins
    return {"rate": errors / rate_n if rate_n else None, "n": rate_n, "cor": rate_n - sub - dels, "sub": sub,
            "del": dels, "ins": ins, "ci": ci}  # fmt: skip


def made_score(mer: dict, other: dict | None = None, ci=None, p=0.01) -> dict:
    """A score.json with only what the table needs; `other` are the counts of the system compared with."""
    made = {"mer": mer, "cer": mer, "wer": mer, "ser": {"rate": 0.5}, "utterances": {"scored": 10}}
    if other:
        value = mer["rate"] - other["rate"]
        made["compare"] = {
            "other": {"mer": other},
            "difference": {"mer": {"value": value, "relative": value / other["rate"], "ci": ci}},
            "matched_pairs": {"p": p},
            "utterances": {"better": 1, "equal": 2, "worse": 3},
        }
    return made


def table_spec(folder: Path, scores: dict[tuple[str, str, str], dict], **more) -> Path:
    """A specification of scores by (model, test, mode), without utterances to speak of."""
    (folder / "none.jsonl").write_text("")
    entries = []
    for place, content in scores.items():
        file = folder / ("-".join(place) + ".json")
        write_json(file, content)
        named = dict(zip(("model", "test", "mode"), place, strict=True))
        entries.append(named | {"score": str(file), "utterances": str(folder / "none.jsonl")})
    names = [list(dict.fromkeys(place[i] for place in scores)) for i in range(3)]
    made = {"experiment": "trial", "models": names[0], "tests": names[1], "modes": names[2], "scores": entries} | more
    write_json(folder / "spec.json", made)
    return folder / "spec.json"


def results_of(folder: Path, scores: dict, **more) -> tuple[specs.Spec, Results]:
    spec = specs.load(table_spec(folder, scores, **more))
    return spec, Results(spec)


BASE = counts(200, 30, 6, 4, ci=[0.15, 0.25])
TUNED = counts(200, 8, 1, 1, ci=[0.03, 0.07])
TABLE = {
    ("base", "home", "faithful"): made_score(BASE),
    ("tuned", "home", "faithful"): made_score(TUNED, BASE, ci=[-0.2, -0.1]),
    ("base", "general", "faithful"): made_score(counts(100, 10)),
    ("tuned", "general", "faithful"): made_score(counts(100, 12), counts(100, 10), ci=[-0.01, 0.05]),
}


class TestSummary:
    def test_markdown_is_a_padded_table_with_intervals_changes_and_marks(self, tmp_path):
        lines = list(summary.markdown_lines(*results_of(tmp_path, TABLE)))
        assert lines[3:] == [
            "| faithful | home                        | general       |",
            "| :------- | :-------------------------- | :------------ |",
            "| base     | 20.00 [15.00, 25.00]        | 10.00         |",
            "| tuned    | 5.00 [3.00, 7.00] -75.0 % * | 12.00 +20.0 % |",
        ]

    def test_tsv_has_a_line_per_mode_test_and_model(self, tmp_path):
        lines = list(summary.tsv_lines(results_of(tmp_path, TABLE)[1]))
        rows = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
        assert [(row["test"], row["model"]) for row in rows] == [
            ("home", "base"), ("home", "tuned"), ("general", "base"), ("general", "tuned")
        ]  # fmt: skip
        tuned = rows[1]
        assert (tuned["mer"], tuned["mer_low"], tuned["mer_high"]) == ("5.000", "3.000", "7.000")
        assert (tuned["errors"], tuned["tokens"]) == ("10", "200")
        assert (tuned["change"], tuned["difference"], tuned["verdict"]) == ("-75.000", "-15.000", "better")
        assert rows[0]["verdict"] == rows[0]["change"] == ""

    def test_what_was_not_scored_is_a_dash(self, tmp_path):
        some = {place: content for place, content in TABLE.items() if place != ("tuned", "general", "faithful")}
        assert list(summary.markdown_lines(*results_of(tmp_path, some)))[-1].endswith("| -       |")

    def test_a_set_without_reference_tokens_has_no_rate(self, tmp_path):
        spec, results = results_of(tmp_path, {("base", "silence", "faithful"): made_score(counts(0, 0, 0, 3))})
        assert list(summary.markdown_lines(spec, results))[-1] == "| base     | -       |"


FEW = "only 3 speakers (fewer than 10): the intervals cannot be trusted, and no difference is called significant"


class TestCaution:
    """Too few speakers or utterances are told in the same words everywhere."""

    @pytest.fixture
    def file(self, tmp_path):
        scores = {place: made | {"caution": FEW} for place, made in TABLE.items() if place[1] == "home"}
        return table_spec(tmp_path, TABLE | scores)

    def test_in_the_tables(self, file):
        spec = specs.load(file)
        results = Results(spec)
        assert list(summary.markdown_lines(spec, results))[-2:] == ["", f"- home: {FEW}."]
        lines = [line.split("\t") for line in summary.tsv_lines(results)]
        assert [line[-1] for line in lines] == ["remarks", FEW, FEW, "", ""]

    def test_on_the_page(self, file):
        text = " ".join(Reader(rendered(file)).text.split())
        assert f"home: {FEW}." in text, "among the findings"
        assert f"{FEW.capitalize()}." in text, "beside the chart"
        assert text.count(f"home: {FEW}.") == 2, "and in the caption of the table"

    def test_not_where_there_is_no_interval(self, tmp_path):
        made = made_score(counts(200, 30)) | {"caution": FEW}
        _, results = results_of(tmp_path, {("base", "home", "m"): made})
        assert results.caution("home", "m") is None


BY_OWN_RULES = {
    "settings": {"fillers": ["um", "嗯"]},
    "inputs": {"equivalent": {"file": "<own>.txt", "sha256": "0d" * 32}},
}
OWN_RULES = "equivalent spellings of <own>.txt, SHA-256 0d0d0d0d0d0d; left out: um, 嗯"


class TestOwnRules:
    """Figures that are by a user's own rules are marked as such, and nothing else is."""

    @pytest.fixture
    def file(self, tmp_path):
        raw = {(*place[:2], "raw"): made for place, made in TABLE.items()}
        return table_spec(tmp_path, {place: made | BY_OWN_RULES for place, made in TABLE.items()} | raw)

    def test_in_the_tables(self, file):
        spec = specs.load(file)
        lines = list(summary.markdown_lines(spec, Results(spec)))
        assert [line.split("|")[1].strip() for line in lines if " home" in line and "|" in line] == [
            "faithful, own rules",
            "raw",
        ]
        assert lines[-1] == f"- faithful: scored by own rules, {OWN_RULES.replace('<', '&lt;')}."
        rows = [line.split("\t") for line in summary.tsv_lines(Results(spec))]
        place = rows[0].index("own_rules")
        assert [row[place] for row in rows[1:]] == [OWN_RULES] * 4 + [""] * 4

    def test_on_the_page(self, file):
        html = rendered(file)
        parts = {
            mode: html.split(f'class="mode" data-mode="{mode}"')[1].split("</main>")[0] for mode in ("faithful", "raw")
        }
        parts["faithful"] = parts["faithful"].split('data-mode="raw"')[0]
        assert (
            "then <strong>own rules</strong> on both sides (equivalent spellings of &lt;own&gt;.txt"
            in parts["faithful"]
        )
        captions = re.findall(r"<caption>(.*?)</caption>", parts["faithful"], re.DOTALL)
        assert captions and all(caption.startswith('<span class="tag">own rules</span>') for caption in captions)
        assert "own rules" not in parts["raw"] and "How it was scored: raw normalization" in parts["raw"]
        payload = json.loads(re.search(r'id="payload"[^>]*>(.*?)</script>', html, re.DOTALL)[1])
        assert payload["ownRules"] == ["faithful"]

    def test_without_any_nothing_is_said(self, tmp_path):
        assert "own rules" not in rendered(table_spec(tmp_path, TABLE)).split("<script")[0]
        assert "own rules" not in "".join(summary.markdown_lines(*results_of(tmp_path, TABLE)))


def compared_file(folder: Path, models: list[str], better: str | None) -> str:
    """What compare_runs.py gives of models; of the last two, one may be better."""
    pairs = [
        {"models": list(pair), "rates": [0.05, 0.062], "difference": -0.012, "ci": [-0.02, -0.004], "p": 0.001,
         "p_corrected": 0.003, "better": None, "utterances": {"better": 4, "equal": 5, "worse": 1}}
        for pair in itertools.combinations(models, 2)
    ]  # fmt: skip
    pairs[-1]["better"] = better
    write_json(folder / "compared.json", {"pairs": pairs})
    return str(folder / "compared.json")


class TestRunsAgainstEachOther:
    SCORES = TABLE | {("full", "home", "faithful"): made_score(counts(200, 12), BASE, ci=[-0.2, -0.1])}

    def spec(self, folder: Path, better: str | None = "tuned", names=("base", "tuned", "full")) -> Path:
        file = compared_file(folder, list(names), better)
        return table_spec(folder, self.SCORES, compared=[{"test": "home", "mode": "faithful", "file": file}])

    def test_the_summary_has_a_line_for_each_test_set(self, tmp_path):
        for better, words in (
            ("tuned", "tuned is better than full by 1.20 points [0.40, 2.00], p = 0.003"),
            (None, "no significant difference"),
        ):
            spec = specs.load(self.spec(tmp_path, better))
            assert list(summary.markdown_lines(spec, Results(spec)))[-2:] == [
                "", f"- home, faithful, runs against each other: {words} (p corrected for 3 comparisons; "
                "of the chance of this test set alone)."
            ]  # fmt: skip

    def test_the_page_has_a_row_for_each_two_models(self, tmp_path):
        html = rendered(self.spec(tmp_path))
        table = html[html.index("Models against each other</h3>") : html.index("</main>")]
        assert re.findall(r'<th scope="row" class="name">(.*?)</th>', table) == [
            "base – tuned",
            "base – full",
            "tuned – full",
        ]
        assert table.count('class="significant"') == table.count("<strong>tuned</strong> *") == 1
        assert "−1.20" in table and "[−2.00, −0.40]" in table and "p = 0.003" in table

    def test_what_chance_they_know_of_is_told(self, tmp_path):
        file = self.spec(tmp_path)
        compared = json.loads((tmp_path / "compared.json").read_text())
        for runs, words in (
            ([["tuned"], ["full"]], "of the chance of this test set alone"),
            (
                [["tuned"], ["full", "full2"]],
                "of the chance of this test set, and of training where a setting has several",
            ),
        ):
            compared["pairs"][-1]["runs"] = runs
            write_json(tmp_path / "compared.json", compared)
            spec = specs.load(file)
            assert words in list(summary.markdown_lines(spec, Results(spec)))[-1]
            assert words in " ".join(Reader(rendered(file)).text.split())

    def test_of_too_few_speakers_none_is_named(self, tmp_path):
        scores = {place: made | {"caution": FEW} for place, made in self.SCORES.items()}
        file = compared_file(tmp_path, ["base", "tuned", "full"], None)
        made = table_spec(tmp_path, scores, compared=[{"test": "home", "mode": "faithful", "file": file}])
        text = "\n".join(summary.markdown_lines(specs.load(made), Results(specs.load(made))))
        assert "runs against each other: too few speakers or utterances to call a difference significant." in text
        assert " * " not in text.partition("|")[2] and "no significant difference" not in text

    def test_many_are_folded(self, tmp_path):
        assert "10 comparisons, " not in rendered(self.spec(tmp_path, None, "abcde"))
        assert "15 comparisons, 0 significant" in rendered(self.spec(tmp_path, None, "abcdef"))

    def test_what_has_no_rate_leaves_cells_empty(self, tmp_path):
        file = Path(compared_file(tmp_path, ["base", "tuned"], None))
        nothing = dict.fromkeys(("difference", "ci", "p", "p_corrected", "better")) | {"rates": [None, None]}
        write_json(file, {"pairs": [pair | nothing for pair in json.loads(file.read_text())["pairs"]]})
        spec = table_spec(tmp_path, TABLE, compared=[{"test": "home", "mode": "faithful", "file": str(file)}])
        assert "base – tuned" in rendered(spec)

    def test_a_single_run_has_none(self, tmp_path):
        assert "against each other" not in rendered(table_spec(tmp_path, TABLE))
        assert "against" not in "".join(summary.markdown_lines(*results_of(tmp_path, TABLE)))


def seeds_file(folder: Path) -> str:
    """What compare_runs.py gives of a base model and two seeds of one run."""
    pair = {"models": ["base", "tuned (2 seeds)"], "runs": [["base"], ["tuned", "tuned-seed2"]], "rates": [0.2, 0.055],
            "difference": 0.145, "ci": [0.1, 0.19], "p": 0.002, "p_corrected": 0.002, "better": "tuned (2 seeds)",
            "utterances": {"better": 1, "equal": 2, "worse": 7}}  # fmt: skip
    mean = {"name": "tuned (2 seeds)", "runs": ["tuned", "tuned-seed2"], "rates": [0.05, 0.06], "rate": 0.055,
            "sd": 0.00707, "ci": [0.02, 0.1]}  # fmt: skip
    write_json(folder / "compared.json", {"pairs": [pair], "seeds": [mean]})
    return str(folder / "compared.json")


class TestSeeds:
    """A run with several seeds is one row, of their mean; the single ones are there to be unfolded."""

    def spec(self, folder: Path) -> Path:
        home = {place: made for place, made in TABLE.items() if place[1] == "home"}
        home["tuned-seed2", "home", "faithful"] = made_score(counts(200, 9, 2, 1), BASE, ci=[-0.2, -0.1])
        compared = [{"test": "home", "mode": "faithful", "file": seeds_file(folder)}]
        runs = [{"name": "tuned", "settings": {"epochs": 1.0}}, {"name": "tuned-seed2", "settings": {"seed": 2}}]
        return table_spec(folder, home, compared=compared, runs=runs)

    def test_the_table_has_mean_and_spread_and_a_line_of_single_seeds(self, tmp_path):
        spec = specs.load(self.spec(tmp_path))
        lines = list(summary.markdown_lines(spec, Results(spec)))
        assert "| tuned (2 seeds) | 5.50 ± 0.71 [2.00, 10.00] -72.5 % * |" in lines
        assert not any(line.startswith("| tuned-seed2") for line in lines)
        assert len({len(line) for line in lines if line.startswith("|")}) == 1, "± is one column"
        assert lines[-1] == "- home, faithful, each seed: tuned 5.00, tuned-seed2 6.00."
        assert "A row is a run, of several seeds the mean ± their sample standard deviation" in "".join(lines)

    def test_the_table_for_programs_has_both(self, tmp_path):
        lines = list(summary.tsv_lines(Results(specs.load(self.spec(tmp_path)))))
        rows = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
        assert [row["model"] for row in rows] == ["base", "tuned (2 seeds)", "tuned", "tuned-seed2"]
        mean = rows[1]
        assert (mean["mer"], mean["mer_low"], mean["mer_high"], mean["spread"], mean["seeds"]) == (
            "5.500", "2.000", "10.000", "0.707", "2"
        )  # fmt: skip
        assert (mean["errors"], mean["difference"], mean["difference_low"], mean["verdict"]) == (
            "11", "-14.500", "-19.000", "better"
        )  # fmt: skip
        assert mean["missing"] == mean["hotword_recall"] == "" and rows[2]["spread"] == ""

    def test_the_best_is_the_best_mean_not_the_luckiest_seed(self, tmp_path):
        results = Results(specs.load(self.spec(tmp_path)))
        assert results.best("home", "faithful").rate == 0.055
        assert results.rows == ["base", "tuned (2 seeds)"] and results.later_seeds == {"tuned-seed2"}

    def test_the_page_has_a_row_a_run_and_seeds_to_unfold(self, tmp_path):
        html = rendered(self.spec(tmp_path))
        before, _, after = html.partition("<summary>Single seeds</summary>")
        assert '<th scope="row">tuned (2 seeds)</th>' in before and '<th scope="row">tuned-seed2</th>' not in before
        assert '<th scope="row">tuned-seed2</th>' in after and "±&nbsp;0.71" in before
        settings = html[html.index("Settings that a run does not have") :].partition("</table>")[0]
        assert '<th scope="col">tuned</th>' in settings and "tuned-seed2" not in settings

    def test_of_too_few_speakers_no_verdict_is_given(self, tmp_path):
        file = self.spec(tmp_path)
        for score in json.loads(file.read_text())["scores"]:
            write_json(score["score"], json.loads(Path(score["score"]).read_text()) | {"caution": FEW})
        assert Results(specs.load(file)).get("tuned (2 seeds)", "home", "faithful").verdict is None


class TestLearningCurves:
    def spec(self, folder: Path, refused: str | None = None, rate: float | None = 0.04, ci=(0.03, 0.055)) -> Path:
        points = [
            {"fraction": hours / 2, "hours": hours, "rates": [rate, rate + 0.02], "rate": rate + 0.01, "sd": 0.014,
             "ci": [rate - 0.01, rate + 0.03], "fitted": rate}
            for hours, rate in ((0.5, 0.1), (1.0, 0.08), (2.0, 0.06))
        ]  # fmt: skip
        prediction = {"hours": 4.0, "times": 2.0, "rate": None if refused else rate, "ci": None if refused else ci}
        law = {"a": 0.08, "b": 0.4, "c": 0.0}
        write_json(folder / "c.json", {"points": points, "law": law, "prediction": prediction, "refused": refused})
        entry = {"run": "tuned", "test": "home", "mode": "faithful", "file": str(folder / "c.json")}
        return table_spec(folder, TABLE, curves=[entry])

    def test_twice_the_data_is_told_in_the_page_and_the_table(self, tmp_path):
        file = self.spec(tmp_path)
        words = "Twice the data (4 h) would likely give 4.00 % [3.00, 5.50], where 2 h give 7.00 %."
        assert words in " ".join(Reader(rendered(file)).text.split())
        told = list(summary.markdown_lines(specs.load(file), Results(specs.load(file))))[-1]
        assert told == f"- home, faithful, more data for tuned: {words}"

    def test_the_chart_says_its_figures(self, tmp_path):
        html = rendered(self.spec(tmp_path))
        label = re.search(r'aria-label="(Error rate of tuned on home by hours.*?)"', html)[1]
        assert "trained 11.00 (9.00 to 13.00) at 0.5" in label and "prediction 4.00 (3.00 to 5.50) at 4" in label
        assert "error = 8 % × hours^−0.400" in html

    def test_what_is_not_predicted_has_its_reason_and_no_mark(self, tmp_path):
        html = rendered(self.spec(tmp_path, refused="the interval is <too> wide"))
        assert "No prediction for twice the data: the interval is &lt;too&gt; wide." in html
        assert "prediction 4" not in html

    def test_another_file_is_refused(self, tmp_path):
        file = self.spec(tmp_path)
        write_json(tmp_path / "c.json", {})
        with pytest.raises(RecipeError, match="not a learning curve"):
            rendered(file)

    @given(
        st.lists(
            st.tuples(st.floats(1e-3, 1e5), st.floats(1e-3, 300)), min_size=1, max_size=8, unique_by=lambda p: p[0]
        )
    )
    def test_charts_of_any_points_are_well_formed(self, given_points):
        trained = [(x, charts.Estimate("trained", y, (0.0, 2 * y), 0)) for x, y in sorted(given_points)]
        predicted = (2 * trained[-1][0], charts.Estimate("prediction", 1.0, None, 2))
        drawn = charts.power_law("c", "x", "y", trained, [(x, y) for x, y in sorted(given_points)], predicted)
        ElementTree.fromstring(str(drawn))
        assert "nan" not in drawn and "inf" not in drawn


class TestSettingsOfRuns:
    """What the table calls default is the schema's default, whoever says otherwise: `train` or the run."""

    def rows(self, *settings: dict) -> dict[str, list]:
        runs = [training.Training(f"run{i}", values) for i, values in enumerate(settings)]
        return {row.name: row.cells for row in training.settings_table(runs)}

    def test_a_setting_of_all_runs_is_shown_and_is_no_default(self):
        assert self.rows({"learning_rate": 2e-3}, {"learning_rate": 2e-3, "epochs": 1.0}) == {
            "epochs": [(3.0, True), (1.0, False)],
            "learning_rate": [(2e-3, False), (2e-3, False)],
        }

    def test_those_in_which_runs_differ_come_first(self):
        names = list(self.rows({"warmup": 0.1, "epochs": 1.0}, {"warmup": 0.1, "epochs": 2.0}))
        assert names == ["epochs", "warmup"]

    def test_a_section_within_is_shown_setting_by_setting(self):
        augment = {"speeds": [1.0], "frequency_masks": 2, "hotwords": {"share": 0.5, "max_words": 10}}
        assert self.rows({"augment": augment}, {"lora": {"rank": 4}}) == {
            "augment.frequency_masks": [(2, False), (0, True)],
            "augment.hotwords.share": [(0.5, False), (0.0, True)],
            "lora": [(None, True), ({"rank": 4}, False)],
        }

    def test_a_setting_said_as_it_is_by_default_is_one(self):
        assert self.rows({"learning_rate": 2e-5, "own": 1}, {}) == {"own": [(1, False), (None, True)]}

    def test_the_page_names_the_default(self, whole):
        runs = [{"name": "tuned", "settings": {"epochs": 1.0}}, {"name": "other"}]
        write_json(whole, json.loads(whole.read_text()) | {"runs": runs})
        html = rendered(whole)
        assert "<code>1.0</code></td>" in html
        assert '<code>3.0</code> <span class="small">default</span>' in html

    def test_the_workflow_hands_over_what_is_not_default(self):
        config = check({"data": {"train": {"a": "a"}, "valid": {"a": "a"}, "test": {"a": "a"}}, "experiment": "e",
                        "model": {"base": "m"}, "train": {"epochs": 2.0, "warmup": 0.05},
                        "runs": {"one": {}, "two": {"epochs": 3.0}}})  # fmt: skip
        found = {name: not_default(run) for name, run in recipe_runs(config).items()}
        assert found == {"one": {"epochs": 2.0}, "two": {}}

    def test_runs_that_differ_in_their_seed_alone_are_seeds_of_one_setting(self):
        runs = {"a": {"seed": 1}, "b": {"seed": 1, "epochs": 2}, "c": {"seed": 2}, "d": {"seed": 3, "log_every": 7}}
        data = {role: {"s": "/data"} for role in ("train", "valid", "test")}
        config = check({"experiment": "e", "model": {"base": "m"}, "data": data, "runs": runs})
        assert same_but_seed(recipe_runs(config)) == [["a", "c", "d"]], "how often is logged is no difference"


class TestVerdict:
    def verdict(self, folder: Path, compared: dict) -> str | None:
        scores = {("base", "t", "m"): made_score(BASE), ("tuned", "t", "m"): compared}
        return results_of(folder, scores)[1].get("tuned", "t", "m").verdict

    def test_follows_the_interval_of_the_difference(self, tmp_path):
        worse = counts(200, 50)
        assert self.verdict(tmp_path, made_score(TUNED, BASE, ci=[-0.2, -0.1])) == "better"
        assert self.verdict(tmp_path, made_score(worse, BASE, ci=[0.01, 0.1])) == "worse"
        assert self.verdict(tmp_path, made_score(TUNED, BASE, ci=[-0.2, 0.01], p=0.001)) == "unclear"
        assert self.verdict(tmp_path, made_score(TUNED, BASE, ci=[-0.2, 0.0])) == "unclear"

    def test_is_not_known_without_an_interval_whatever_the_matched_pairs_say(self, tmp_path):
        assert self.verdict(tmp_path, made_score(TUNED, BASE, p=0.01)) is None

    def test_is_not_given_of_too_few_speakers_or_utterances(self, tmp_path):
        made = made_score(TUNED, BASE, ci=[-0.2, -0.1])
        assert self.verdict(tmp_path, made | {"caution": FEW}) is None
        assert self.verdict(tmp_path, made | {"caution": None}) == "better"

    def test_is_not_known_without_a_comparison_or_with_that_of_another_system(self, tmp_path, caplog):
        assert self.verdict(tmp_path, made_score(TUNED)) is None
        assert self.verdict(tmp_path, made_score(TUNED, counts(200, 31, 6, 4), ci=[-0.2, -0.1])) is None
        assert "another system" in caplog.text


class TestSpec:
    def test_missing_files_are_named_all_at_once(self, tmp_path):
        file = table_spec(tmp_path, TABLE, runs=[{"name": "tuned", "history": "no/history.json"}])
        (tmp_path / "base-home-faithful.json").unlink()
        with pytest.raises(RecipeError, match=r"no/history\.json.*base-home-faithful\.json"):
            specs.load(file)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"modell": []}, "unknown key 'modell'"),
            ({"models": []}, "models is"),
            ({"models": ["base", "base"]}, "models is"),
            ({"tests": ["home"]}, "base / general / faithful is not among"),
            ({"embed_audio_mb": "5"}, "embed_audio_mb is '5'"),
            ({"data": [{"role": "dev", "name": "x"}]}, "role 'dev'"),
            ({"data": [{"role": "train"}]}, r"data\[0\]: missing: name"),
            ({"timings": [3]}, r"timings\[0\]: expected an object"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path, change, message):
        with pytest.raises(RecipeError, match=message):
            specs.load(table_spec(tmp_path, TABLE, **change))

    def test_a_file_that_is_no_score_is_refused(self, tmp_path):
        with pytest.raises(RecipeError, match=r"base-home-m\.json: not a score"):
            results_of(tmp_path, {("base", "home", "m"): {"wer": 3}})

    def test_the_domain_is_where_training_sets_have_the_name_of_test_sets(self, tmp_path):
        trained = specs.load(table_spec(tmp_path, TABLE, data=[{"role": "train", "name": "general"}]))
        assert [trained.in_domain(test) for test in trained.tests] == [False, True]
        unnamed = specs.load(table_spec(tmp_path, TABLE))
        assert [unnamed.in_domain(test) for test in unnamed.tests] == [True, False]


def utterances(folder: Path) -> list[Utterance]:
    """Four utterances with audio; one has a transcript, and one a key, that tries to be HTML."""
    soundfile.write(folder / "a&b.wav", np.zeros(1600, dtype="float32"), 16000)
    texts = {"u1": "turn the light on", "u2": NASTY, "<script>alert(3)</script>": "今天天气很好", "u4": "good morning"}
    return [
        Utterance(key, str(folder / "a&b.wav"), "prompt", text, 10, 3, 0.1, speaker=f"s{i % 2}", language="en")
        for i, (key, text) in enumerate(texts.items())
    ]


HYPOTHESES = {
    "base": ["turn light on", "script", "今天啊吗天气很好", ""],
    "tuned": ["turn the light on", NASTY.replace("title", "tile"), "今天天气很好", "good mourning"],
}


@pytest.fixture
def whole(tmp_path) -> Path:
    return make_whole(tmp_path)


def make_whole(folder: Path) -> Path:
    """A specification with everything: two models, two modes, real scores, data, runs, audio and timings."""
    found = utterances(folder)
    write_lines(folder / "ref", (f"{u.key} {u.text}" for u in found))
    write_lines(folder / "test.jsonl", (json_line(u.to_json()) for u in found))
    write_lines(folder / "train.jsonl", (json_line(u.to_json()) for u in found[:1]))
    rejects = ["key\tstage\treason\tdetail", "<b>k</b>\taudio\taudio-unreadable\t<i>d</i>", "k2\ttext\ttext-empty\t"]
    write_lines(folder / "rejects.tsv", rejects)
    sums = {"utterances": 1, "hours": 0.5, "tokens": 3}
    histograms = {"duration_seconds": {"edges": [0, 1, 2], "counts": [0, 4]}}
    write_json(folder / "stats.json", {**sums, "by_language": {"<en>": sums}, "histograms": histograms})
    write_json(folder / "history.json", HISTORY)
    write_lines(folder / "run.jsonl", ['{"s": 1, "max_rss": 1}', '{"s": 71.2, "max_rss": 900.4, "cpu_time": 100.0}'])
    write_json(folder / "provenance.json", {
        "inputs": {"<data>/text": "d2"}, "settings": {},
        "made": [{"with": {"recipe": "0", "commit": "c0ffee", "changed": True, "packages": {"torch": "2"},
                           "machine": {"system": "<Linux>", "gpus": []}}, "jobs": {"train": ["r.json"]}}],
    })  # fmt: skip
    write_json(folder / "recipe.json", {"base": MODEL, "selected_steps": [2], "selected_by": "cer", "seconds": 71.0,
                                          "settings": {"freeze": ["llm"]}, "versions": {"torch": "2"}})  # fmt: skip
    for model, texts in HYPOTHESES.items():
        write_lines(folder / model, (f"{u.key}\t{text}" for u, text in zip(found, texts, strict=True)))
        details = ({"key": u.key, "text": text, "ended": "length" if not text else "eos", "tokens": 3, "duration": 0.1}
                   for u, text in zip(found, texts, strict=True))  # fmt: skip
        write_lines(folder / f"{model}.jsonl", map(json_line, details))
    made = {
        "experiment": "<b>trial</b>",
        "config": {"experiment": "<b>trial</b>", "note": "</pre><script>alert(1)</script>"},
        "models": ["base", "tuned"],
        "tests": ["home"],
        "modes": ["faithful", "compatible"],
        "data": [{"role": "train", "name": "home", "manifest": str(folder / "train.jsonl"),
                  "rejects": str(folder / "rejects.tsv"), "stats": str(folder / "stats.json")},
                 {"role": "test", "name": "home", "manifest": str(folder / "test.jsonl")}],
        "runs": [{"name": "tuned", "history": str(folder / "history.json"), "recipe": str(folder / "recipe.json"),
                  "settings": {"freeze": ["<llm>"]}}],
        "scores": [scored(folder, model, mode) for model in HYPOTHESES for mode in ("faithful", "compatible")],
        "timings": [{"stage": "train", "name": "tuned",
                     "benchmarks": [str(folder / "run.jsonl"), str(folder / "no.jsonl")]},
                    {"stage": "scp2jsonl", "name": "home", "benchmarks": [str(folder / "run.jsonl")],
                     "stats": [str(folder / "stats.json")]}],
        "provenance": str(folder / "provenance.json"),
    }  # fmt: skip
    write_json(folder / "spec.json", made)
    return folder / "spec.json"


MODEL = {
    "source": "<tiny>",
    "files": {"config.json": "12ab"},
    "converted_from": {"source": "org/name", "revision": "c0ffee", "files": {"model.pt": "34cd"}},
}
HISTORY = [
    {"step": 1, "epoch": 0.5, "loss": 2.0, "learning_rate": 1e-3, "grad_norm": 1.0},
    {"step": 2, "epoch": 1.0, "loss": math.nan, "learning_rate": 5e-4, "grad_norm": math.inf},
    {"step": 2, "epoch": 1.0, "eval_loss": 1.5, "eval_cer": 0.4, "eval_wer": 0.5, "eval_truncated": 0},
    {"step": 2, "epoch": 1.0, "train_runtime": 71.0},
]


def scored(folder: Path, model: str, mode: str) -> dict:
    stem = folder / f"{model}.{mode}"
    inputs = ScoreInputs(
        str(folder / "ref"), str(folder / model), compare=str(folder / "base"), hyp_jsonl=str(folder / f"{model}.jsonl")
    )
    settings = ScoringPolicy(bootstrap=50, mode=mode)
    score_files(inputs, settings, f"{stem}.txt", f"{stem}.json", f"{stem}.jsonl")
    return {"model": model, "test": "home", "mode": mode, "score": f"{stem}.json", "utterances": f"{stem}.jsonl",
            "details": str(folder / f"{model}.jsonl")}  # fmt: skip


def rendered(spec_file: Path, output: Path | None = None) -> str:
    spec = specs.load(spec_file)
    return page.render(spec, Results(spec), output or spec_file.parent)


class Reader(HTMLParser):
    """Elements, the texts outside scripts, and the scripts of a page."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[tuple[dict, str]] = []
        self.text = ""
        self._script: dict | None = None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag == "script":
            self._script = dict(attributes)

    def handle_endtag(self, tag):
        if tag == "script":
            self._script = None

    def handle_data(self, text):
        if self._script is not None:
            self.scripts.append((self._script, text))
        else:
            self.text += text


class TestPage:
    def test_is_the_same_bytes_every_time(self, whole):
        assert rendered(whole) == rendered(whole)

    def test_loads_nothing_from_elsewhere(self, whole):
        reader = Reader(rendered(whole))
        loaded = [value for name, value in reader.attributes if name in ("src", "href", "action", "data", "srcset")]
        assert loaded
        assert all(value.startswith("#") for value in loaded)
        assert "link" not in reader.tags
        assert not re.search(r"@import|url\(", "".join(page.asset("page.css")))

    def test_shows_markup_in_the_data_as_text(self, whole):
        reader = Reader(rendered(whole))
        assert [attributes for attributes, _ in reader.scripts] == [
            {"type": "application/json", "id": "payload"}, {"type": "application/json", "id": "audio"}, {}
        ]  # fmt: skip
        assert not {"img", "i"} & set(reader.tags)
        for text in (
            "<b>trial</b>",
            "<b>k</b>",
            "<i>d</i>",
            "<tiny>, converted from org/name at c0ffee",
            "tuned, base model org/name at c0ffee: model.pt",
            "<llm>",
            "<en>",
            "</pre><script>alert(1)</script>",
        ):
            assert text in reader.text

    def test_embeds_what_the_script_shows_as_it_is(self, whole):
        html = rendered(whole)
        payload = json.loads(Reader(html).scripts[0][1])
        assert payload["sets"]["home"]["written"][1] == NASTY
        assert payload["sets"]["home"]["keys"][2] == "<script>alert(3)</script>"
        assert payload["sets"]["home"]["hyps"]["base"]["modes"]["faithful"]["flags"][3] == [
            "empty_hypothesis",
            "truncated",
        ]
        assert "\u2028" not in html

    def test_of_too_many_speakers_those_with_the_most_tokens_are_shown_and_counted(self):
        speakers = {f"s{i}": {"n": i % 7, "rate": 0.1} for i in range(20)}
        kept = page._most_spoken(speakers, 3)
        assert list(kept) == ["s6", "s12", "s13"]  # 6, 5 and 6 tokens; of those with 5 the first by name
        assert page._most_spoken(speakers, 20) is speakers

    def test_allows_only_its_own_script_and_style(self, whole):
        html = rendered(whole)
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
        assert "default-src &#39;none&#39;" in policy
        assert "unsafe" not in policy
        assert "http" not in policy

    def test_tells_results_training_data_and_provenance(self, whole):
        text = Reader(rendered(whole)).text
        for words in (
            "fewer errors",
            "1 min 11 s",
            "audio-unreadable",
            "SHA-256",
            "25.3",
            "900",
            "Validation error rate",
            "c0ffee",
            "<data>/text",
            "1 min 40 s",
        ):
            assert words in text

    def test_counts_what_is_missing_extra_and_flagged_by_score(self, tmp_path):
        made = made_score(BASE)
        made["utterances"]["extra"] = 7
        made["flags"] = {"looping": {"count": 3, "keys": []}, "quiet": {"count": 4, "keys": []}}
        made["hotwords"] = {"recall": 0.125, "precision": 0.5, "ref": 8, "hyp": 2, "hits": 1, "words": []}
        html = rendered(table_spec(tmp_path, {("base", "home", "m"): made}))
        table = html[html.index("or one to mind") : html.index("More figures")]
        names = [re.sub("<.*?>", "", cell) for cell in re.findall('<th scope="col.*?</th>', table)]
        cells = [re.sub("<.*?>", "", cell) for cell in re.findall('<(?:td|th scope="row").*?</t[dh]>', table)]
        row = dict(zip(names, cells, strict=True))
        assert (row["extra"], row["looping"], row["quiet"], row["missing"]) == ("7", "3", "4", "–")
        assert "12.50" in html and "hotword recall" in html

    def test_is_made_of_scores_alone_too(self, tmp_path):
        text = Reader(rendered(table_spec(tmp_path, TABLE))).text
        assert "5.00" in text
        assert "Training" not in text

    def test_is_made_of_a_baseline_alone_too(self, tmp_path):
        assert "20.00" in Reader(rendered(table_spec(tmp_path, {("base", "home", "m"): made_score(BASE)}))).text

    def test_names_the_best_model_of_the_domain_where_another_is_best(self, tmp_path):
        base = counts(100, 10)
        scores = TABLE | {
            ("other", "home", "faithful"): made_score(counts(200, 20), BASE, ci=[-0.1, -0.01]),
            ("other", "general", "faithful"): made_score(counts(100, 9), base, ci=[-0.1, 0.1]),
        }
        text = " ".join(Reader(rendered(table_spec(tmp_path, scores))).text.split())
        assert "tuned , the best on home: 12.00".replace(" ,", ",") in text

    def test_script_writes_three_files_and_names_what_is_missing(self, whole):
        command = [sys.executable, str(SCRIPT), "--spec", str(whole), "--output-dir", str(whole.parent / "out")]
        subprocess.run(command, check=True, capture_output=True)
        assert sorted(p.name for p in (whole.parent / "out").iterdir()) == ["report.html", "summary.md", "summary.tsv"]
        (whole.parent / "history.json").unlink()
        failed = subprocess.run(command, capture_output=True, text=True)
        assert failed.returncode == 2
        assert "history.json" in failed.stderr
        assert "Traceback" not in failed.stderr


TOKENS = st.lists(st.sampled_from(["A", "B", "C", "好"]), max_size=8)


class TestListing:
    @given(TOKENS, TOKENS)
    def test_edits_and_reference_give_the_hypothesis(self, ref, hyp):
        found = listing.edits(json.loads(alignment_json(ref, hyp, edits(ref, hyp), Cached(correct_step))))
        rebuilt, place = [], 0
        for kind, at, *token in found:
            rebuilt += ref[place:at] + token
            place = at + (kind != "I")
        assert rebuilt + ref[place:] == hyp

    def test_models_scored_on_other_references_are_refused(self, whole):
        file = whole.parent / "tuned.compatible.jsonl"
        file.write_text(file.read_text().replace('["C", "TURN", "TURN"]', '["C", "TURNS", "TURNS"]'))
        with pytest.raises(RecipeError, match="other references"):
            listing.collect(specs.load(whole), 10**6)

    def test_models_scored_on_other_utterances_are_refused(self, whole):
        file = whole.parent / "tuned.compatible.jsonl"
        file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
        with pytest.raises(RecipeError, match=r"tuned\.compatible\.jsonl: holds other utterances"):
            listing.collect(specs.load(whole), 10**6)

    def test_of_too_many_utterances_those_with_most_errors_are_kept_in_order(self, whole):
        given = specs.load(whole)
        everything = listing.collect(given, 10**6)["home"]
        lists = (listing.collect(given, limit)["home"] for limit in itertools.count(100, 50))
        found = next(one for one in lists if len(one["keys"]) == 2)
        assert everything["left_out"] == 0 and len(everything["keys"]) == 4
        assert (found["keys"], found["left_out"]) == (["u2", "<script>alert(3)</script>"], 2)
        assert listing.collect(given, 1)["home"]["left_out"] == 3  # one in any case

    def test_what_small_sets_leave_is_for_the_large_ones(self, monkeypatch):
        asked = {}

        class Made:
            def __init__(self, spec, test):
                self.test, self.keys = test, [""] * {"small": 1, "large": 9, "none": 0}[test]

            def worth_reading(self, limit):
                asked[self.test] = limit
                return [], 10 * len(self.keys)

            def result(self, kept):
                return self.test

        monkeypatch.setattr(listing, "_Set", Made)
        found = listing.collect(SimpleNamespace(tests=["large", "none", "small"]), 100)
        assert list(found) == ["large", "small"] and asked == {"small": 50, "large": 90}

    def test_utterances_on_which_models_differ_come_first(self, tmp_path):
        """Of as many errors of the worst model."""
        found = listing._Set.__new__(listing._Set)
        found._edits = {("a", "m"): [[1, 2], [1, 2], []], ("b", "m"): [[1, 2], [], []]}
        assert sorted(range(3), key=found._worth, reverse=True) == [1, 0, 2]


class TestAudio:
    def collect(self, whole: Path, **changes) -> list:
        made = json.loads(whole.read_text()) | changes
        write_json(whole, made)
        return players.collect(specs.load(whole), {"home": ["u1", "none"]}, whole.parent / "out")["home"]

    def test_is_embedded_while_it_is_small(self, whole):
        first, missing = self.collect(whole)
        assert first.startswith("data:audio/wav;base64,")
        assert missing is None

    def test_is_linked_relative_to_the_page_when_it_is_large(self, whole):
        link = self.collect(whole, embed_audio_mb=0.001)[0]
        assert link == quote("../a&b.wav")
        assert (whole.parent / "out" / unquote(link)).resolve() == whole.parent / "a&b.wav"

    @pytest.mark.parametrize(
        "source", [f"https://example.org/{'a' * 300}.wav", "feats.ark:12", "cat a.wav |", "gone.wav"]
    )
    def test_has_no_player_where_it_is_no_file(self, whole, source):
        for change in ({"source": source}, {"start": 0.01}):
            changed = (dataclasses.replace(u, **change) for u in utterances(whole.parent))
            write_lines(whole.parent / "test.jsonl", (json_line(u.to_json()) for u in changed))
            assert self.collect(whole) == [None, None]


class TestData:
    def test_entries_are_accepted_and_rejected_by_reason(self, whole):
        card = data.read_card(specs.load(whole).data[0])
        assert (card.accepted, card.entries) == (1, 3)
        assert card.rejected == {("audio", "audio-unreadable"): 1, ("text", "text-empty"): 1}

    def test_rejects_of_another_layout_are_refused(self, whole):
        (whole.parent / "rejects.tsv").write_text("key\treason\n")
        with pytest.raises(RecipeError, match=r"rejects\.tsv:1: expected 4 columns, found 2"):
            data.read_card(specs.load(whole).data[0])

    def test_what_test_sets_share_with_training_is_counted(self, whole):
        pair = data.shared(specs.load(whole))["pairs"][0]
        assert (pair["set"], pair["with"]) == (["test", "home"], ["train", "home"])
        assert {name: (found["count"], found["of"]) for name, found in pair["shared"].items()} == {
            "utterances": (1, 4), "audio": (4, 4), "recordings": (4, 4), "keys": (1, 4), "speakers": (2, 4),
            "transcripts": (1, 4),
        }  # fmt: skip

    def test_what_was_found_before_training_is_what_the_report_says(self, whole):
        found = data.shared(specs.load(whole)) | {"findings": ["sets share <b>much</b>"]}
        write_json(whole.parent / "leaks.json", found)
        write_json(whole, json.loads(whole.read_text()) | {"leaks": str(whole.parent / "leaks.json")})
        text = Reader(rendered(whole)).text
        assert "sets share <b>much</b>." in text and "4 of 4" in text

    def test_findings_name_what_endangers_the_figures(self, whole):
        spec = specs.load(whole)
        cards, runs = [data.read_card(entry) for entry in spec.data], [training.load(run) for run in spec.runs]
        found = "\n".join(findings.collect(spec, Results(spec), cards, data.shared(spec), runs))
        for words in (
            "tuned: the loss is no finite number at step 2",
            "the last checkpoint was the best by validation cer",
            "home: 2 of 4 (50.0 %) utterances are of speakers that train set home has, too: s0",
            "home: only 4 utterances (fewer than 30): the intervals cannot be trusted, ",
            "stopped at the length limit: base 1.",
            "train set home: 2 of 3 entries were rejected",
        ):
            assert words in found

    def test_what_training_left_out_is_told(self, whole):
        recipe = json.loads((whole.parent / "recipe.json").read_text())
        left_out = {"unreadable": {"train": 3, "valid": 1}, "steps_left_out": 2}
        (whole.parent / "recipe.json").write_text(json.dumps(recipe | left_out))
        text = Reader(rendered(whole)).text
        for words in (
            "tuned: 3 training utterances could not be read",
            "tuned: 1 validation utterances could not be read",
            "tuned: 2 steps with gradients that are not finite were left out",
            "unreadable utterances, left out4",
        ):
            assert words in " ".join(text.split()).replace("left out 4", "left out4")


class TestCharts:
    def test_are_well_formed_and_escaped(self):
        estimates = [charts.Estimate("<a & b>", 10.0, (8.0, 12.0), 0), charts.Estimate("a" * 50, 0.0, None, 1)]
        drawn = [
            charts.lines("<x>", "<x>", '"y"', [charts.Series("<s>", [(1, 2.0), (2, 1000.0)], 0, dots=True)], chosen=2),
            charts.histogram("h", "s", [0, 1, 2, 3], [0, 3, 0]),
            charts.intervals("i", "%", estimates),
            charts.scatter("f", "%", "%", [(e, e) for e in estimates]),
        ]
        for drawing in drawn:
            assert ElementTree.fromstring(str(drawing)).tag == "svg"

    def test_are_files_of_their_own_with_a_title_and_a_style(self):
        chart = charts.band("b", "bin", "value", [1.0, 2.0, 4.0], [0.5, 1.0, 0.0], width=400)
        root = ElementTree.fromstring(charts.document(chart, "<a & b>"))
        svg = "{http://www.w3.org/2000/svg}"
        assert root.tag == svg + "svg"
        assert [float(n) for n in root.get("viewBox").split()] == [-12, -26, 424, 216]
        assert root.find(svg + "title").text == "<a & b>"
        assert "prefers-color-scheme: dark" in root.find(svg + "style").text
        bands = [path.get("d") for path in root.iter(svg + "path") if path.get("class") == "band"]
        assert [re.sub(r"[\d. ]", "", d) for d in bands] == ["MLLLLLZ"]
        assert "no values" in charts.document(charts.histogram("", "", [0, 1], [0]), "nothing")

    def test_are_styled_on_the_page(self, whole):
        assert charts.STYLE in rendered(whole)

    def test_break_a_line_where_a_value_is_no_number(self):
        points = [(1, 1.0), (2, 2.0), (3, math.nan), (4, 1.0), (5, 1.5)]
        drawing = charts.lines("", "", "", [charts.Series("s", points, 0)])
        path = ElementTree.fromstring(str(drawing)).find("path").get("d")
        assert re.sub(r"[\d. ]", "", path) == "MLML"

    def test_are_left_out_without_a_value(self):
        assert charts.lines("", "", "", [charts.Series("s", [(1, math.nan)], 0)]) == ""
        assert charts.histogram("", "", [0, 1], [0]) == ""
        assert charts.band("", "", "", [], []) == ""

    def test_thin_long_lines_to_means(self):
        assert charts.thin([(i, float(i)) for i in range(10)], most=5) == [(i + 1, i + 0.5) for i in range(0, 10, 2)]

    @given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), st.booleans())
    @example([5e-324], False)
    @example([1.0, 1.0 + 1e-15], False)
    @example([-1e-13], True)
    def test_axes_hold_their_values_within_round_ticks(self, values, zero):
        axis = charts.axis(values, 0, 100, zero)
        assert 2 <= len(axis.ticks) <= 8
        assert all(-0.1 <= axis(value) <= 100.1 for value in values)

    @given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=5, unique=True))
    def test_logarithmic_axes_hold_their_values(self, values):
        axis = charts.log_axis(values, 0, 100)
        assert all(-0.1 <= axis(value) <= 100.1 for value in values)

    def test_histograms_leave_out_empty_ends_and_open_the_last_bin(self):
        def labels(counts: list[int]) -> list[str]:
            drawing = ElementTree.fromstring(str(charts.histogram("", "s", [0, 1, 2, 3, 4], counts)))
            return [e.text for e in drawing.iter("text") if e.get("text-anchor") == "middle"][-len(counts) :]

        assert labels([0, 5, 6, 0])[-3:] == ["1", "2", "3"]
        assert labels([0, 0, 6, 7])[-3:] == ["2", "3", "…"]

    @pytest.mark.parametrize("count", [1, 6, 12, 20, 60])
    def test_labels_of_histograms_never_touch(self, count):
        edges = [-100.0 + 5 * i for i in range(count + 1)]
        drawing = ElementTree.fromstring(str(charts.histogram("", "level", edges, [1] * count)))
        shown = [e for e in drawing.iter("text") if e.get("text-anchor") == "middle" and e.get("class") is None]
        ends = [(float(e.get("x")), len(e.text) * charts.LETTER / 2) for e in shown]
        assert len(shown) >= min(count, 4)
        assert all(x + half < next_x - next_half for (x, half), (next_x, next_half) in itertools.pairwise(ends))


def browse(html: Path, folder: Path, view: str = "") -> str:
    """The page's DOM after its script has run; fails if the console shows an error."""
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=3000", "--enable-logging=stderr",
        "--dump-dom", html.as_uri() + view,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert not [entry for entry in done.stderr.splitlines() if "CONSOLE" in entry]
    return done.stdout


@pytest.fixture(scope="module")
def dom(tmp_path_factory) -> str:
    """The DOM of the whole page."""
    folder = tmp_path_factory.mktemp("page")
    file = folder / "report.html"
    file.write_text(rendered(make_whole(folder)), encoding="utf-8")
    return browse(file, folder)


@needs_browser
class TestBrowser:
    @pytest.fixture
    def html(self, whole) -> Path:
        file = whole.parent / "report.html"
        file.write_text(rendered(whole), encoding="utf-8")
        return file

    def test_the_script_runs_and_shows_markup_as_text(self, dom):
        assert re.search(r"<html[^>]* data-ready", dom)
        reader = Reader(dom)
        assert "<title>&lt;b&gt;trial" in dom
        assert NASTY in reader.text
        assert "<script>alert(3)</script>" in reader.text
        assert len(reader.scripts) == 3
        assert "img" not in reader.tags
        assert dom.count('class="utterance"') == 4

    def test_alignments_show_what_was_substituted_deleted_and_inserted(self, dom):
        for kind, ref, hyp in (("S", "TITLE", "TILE"), ("D", "GOOD", "–"), ("I", "+", "啊")):
            assert f'<span class="col {kind}"><span>{ref}</span><span>{hyp}</span></span>' in dom
        assert 'aria-label="reference: 今 天 天 气 很 好; hypothesis: 今 天 啊 吗 天 气 很 好"' in dom

    def test_texts_as_they_were_written_stand_beside_the_alignments(self, dom):
        items = [item.split("</li>")[0] for item in dom.split('class="utterance"')[1:]]
        [item] = [item for item in items if "good mourning" in item]
        shown = re.findall(r'<div class="who">(.*?)</div><div class="(?:text|cols)"[^>]*>(.*?)</div>', item)
        texts = [(who, re.sub("<[^>]*>", "|", text).strip("|")) for who, text in shown]
        assert [who for who, _ in texts] == ["transcript", "tuned", "as written", "base", "as written"]
        assert (texts[0][1], texts[2][1], texts[4][1]) == ("good morning", "good mourning", "(empty)")
        assert "GOOD" in texts[1][1] and "MOURNING" in texts[1][1]

    def test_numbers_are_whole_where_digits_count_singly(self, tmp_path):
        write_lines(tmp_path / "ref", ["u1 dial 4027 twice"])
        for model, text in (("base", "dial 4 1 27 twice"), ("tuned", "dial 4027")):
            write_lines(tmp_path / model, [f"u1 {text}"])
            write_lines(tmp_path / f"{model}.jsonl", ['{"key": "u1", "text": null}'])
        scores = [scored(tmp_path, model, mode) for model in ("base", "tuned") for mode in ("faithful", "compatible")]
        names = {"experiment": "e", "models": ["base", "tuned"], "tests": ["home"], "modes": ["faithful", "compatible"]}
        write_json(tmp_path / "spec.json", names | {"scores": scores})
        file = tmp_path / "report.html"
        file.write_text(rendered(tmp_path / "spec.json"), encoding="utf-8")
        dom = browse(file, tmp_path, "#view?model=base&search=4027")
        assert 'aria-label="reference: DIAL 4027 TWICE; hypothesis: DIAL 4127 TWICE"' in dom
        assert "1 of 6: 1 substituted" in dom
        assert '<span>2</span><span>2</span></span><span class="col"><span>7</span>' in dom, "no space between"
        other = browse(file, tmp_path, "#view?model=base&mode=compatible")
        assert 'aria-label="reference: DIAL 4027 TWICE; hypothesis: DIAL 4 1 27 TWICE"' in other

    def test_a_view_in_the_address_filters_the_list(self, html, tmp_path):
        dom = browse(html, tmp_path, "#view?model=base&flag=truncated&mode=compatible")
        assert "1 of 4 utterances" in dom
        assert "2 deleted" in dom
        shown = re.findall(r'<div class="mode" data-mode="(\w+)"( hidden="")?>', dom)
        assert shown == [("faithful", ' hidden=""'), ("compatible", "")]

    def test_a_click_filters_by_an_error_and_opens_a_player(self, html, tmp_path):
        clicks = """
            document.querySelector("#filters [name=model]").value = "base";
            document.querySelector("#filters [name=model]").dispatchEvent(new Event("change"));
            [...document.querySelectorAll("#error-tables button")].find((b) => b.textContent === "THE").click();
            document.querySelector("button.play").click();
        """
        driven = re.sub(r"script-src &#39;[^;]*;", "script-src 'unsafe-inline';", html.read_text(encoding="utf-8"))
        html.write_text(driven.replace("</body>", f"<script>{clicks}</script></body>"), encoding="utf-8")
        dom = browse(html, tmp_path)
        assert "1 of 4 utterances" in dom
        assert "deletion THE" in dom
        assert re.search(r'<audio controls="" src="data:audio/wav;base64,[^"]+" aria-label="recording u1"', dom)

    def test_the_script_runs_without_utterances(self, tmp_path):
        file = tmp_path / "report.html"
        file.write_text(rendered(table_spec(tmp_path, TABLE)), encoding="utf-8")
        dom = browse(file, tmp_path)
        assert re.search(r"<html[^>]* data-ready", dom)
        assert "0 of 0 utterances" in dom

    def test_a_search_finds_what_was_decoded(self, html, tmp_path):
        dom = browse(html, tmp_path, "#view?model=base&search=" + quote("啊 吗"))
        assert "1 of 4 utterances" in dom
        assert "alert(3)" in Reader(dom).text
