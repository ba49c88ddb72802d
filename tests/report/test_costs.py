"""What errors cost, on the page: the dearest groups of the base model and the best one, with links to utterances."""

import json
from html import unescape
from pathlib import Path

import pytest
from test_report import TABLE, rendered, table_spec

from recipe.files import RecipeError, write_json, write_lines
from recipe.report import costs
from recipe.score.grouped import HEADER


def line(kind, name, excess, keys="u1 u2"):
    return "\t".join([kind, name, "3", "20", "9", "0.4500", "0.1000", "0.3000", excess, "-0.5", "4.5", "4.500", keys])


@pytest.fixture
def spec_file(tmp_path):
    file = table_spec(tmp_path, TABLE)
    spec = json.loads(file.read_text())
    for entry in spec["scores"]:
        entry["groups"] = str(tmp_path / f"{entry['model']}.{entry['test']}.tsv")
        more = [line("word", f"W{i}", f"{1 - i / 100:.3f}") for i in range(20)]
        rows = [
            line("speaker", "<Ann> & co", "2.000"),
            *more,
            line("entity", "names", "-1.000"),
            line("level", "x", ""),
        ]
        write_lines(entry["groups"], [HEADER, *rows])
    write_json(file, spec)
    return file


def test_the_dearest_groups_of_the_best_and_of_the_base_model_are_shown(spec_file):
    html = rendered(spec_file)
    section = html.partition('<section id="costs"')[2].partition("</section>")[0]
    assert section.count("<details") == 4  # both models are the best or the base on each of two test sets
    assert section.count('<th scope="row"') == 4 * costs.ROWS
    assert "+2.00" in section and "[−0.50, +4.50]" in section and "of 23 in" in section
    assert "names" not in section  # it fares better than the rest
    assert "&lt;Ann&gt; &amp; co" in section
    assert "#view?test=home&model=tuned&mode=faithful&speaker=%3CAnn%3E+%26+co" in unescape(section)
    assert "#view?test=home&model=base&mode=faithful&search=u1" in unescape(section)
    assert 'href="#costs"' in html


def test_without_grouped_errors_there_is_no_such_section(tmp_path):
    assert "costs" not in rendered(table_spec(tmp_path, TABLE)).partition("<body>")[2].partition("<script")[0]


def test_many_test_sets_have_no_table_each(spec_file, monkeypatch):
    monkeypatch.setattr(costs, "TEST_SETS", 1)
    assert "1 more test sets: see their" in rendered(spec_file)


def test_a_table_of_another_form_is_refused(spec_file):
    file = Path(json.loads(spec_file.read_text())["scores"][0]["groups"])
    write_lines(file, ["kind\tname"])
    with pytest.raises(RecipeError, match=r"not a table of group_errors\.py"):
        rendered(spec_file)
