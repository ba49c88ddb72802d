"""An error in the configuration names the file and the line that the wrong value comes from."""

import pytest

from recipe.files import RecipeError
from recipe.workflow import config, origins
from recipe.workflow.origins import Origins

FIRST = """\
experiment: e
model: {base: x}
data:
  train: {a.b: d}
  valid: {a.b: d}
train:
  learning_rate: fast
  epochs: 2
runs:
  one: {epochs: 1}
"""
SECOND = """\
# a machine's own
train:
  epochs: many
expriment: 3
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.yaml").write_text(FIRST)
    (tmp_path / "second.yaml").write_text(SECOND)
    return ["first.yaml", tmp_path / "second.yaml"]


def problems(files, command_line=None):
    """The errors of a configuration, each as it is told."""
    values = config.read_files(files)
    where = Origins(files, command_line or {})
    with pytest.raises(RecipeError) as found:
        config.runs(config.check(config.merged(values, command_line or {}), where.place), where.place)
    return str(found.value).split("; ")


def test_each_error_names_the_file_that_its_value_comes_from(files):
    found = problems(files)
    assert 'first.yaml:7: train.learning_rate is "fast", expected a number over 0 and to 1' in found
    assert 'second.yaml:3: train.epochs is "many", expected a number of 0 or more' in found
    assert "second.yaml:4: unknown setting expriment (is experiment meant?)" in found


def test_the_command_line_goes_over_all_files(files):
    found = problems(files, {"train": {"epochs": "some", "learning_rate": "0.1"}})
    assert '--config: train.epochs is "some", expected a number of 0 or more' in found
    assert not any("learning_rate" in one for one in found)


def test_a_runs_error_is_at_the_run_or_at_what_all_share(files):
    files[1].write_text("train: {learning_rate: 0.1, average: 2, select: last}\n")
    [found] = problems(files)
    assert found.startswith("second.yaml:1: runs.one: average is 2, expected 1, or more")
    files[1].write_text("train: {learning_rate: 0.1}\nruns:\n  two:\n    epoch: 3\n")
    assert problems(files) == ["second.yaml:4: runs.two: unknown setting epoch (is epochs meant?)"]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("data.train.a.b: d/wav.scp does not exist", "first.yaml:4: data.train.a.b: d/wav.scp does not exist"),
        ("model.base: x: no such directory", "first.yaml:2: model.base: x: no such directory"),
        ("runs.one.gpus: 4 are asked for", "first.yaml:10: runs.one.gpus: 4 are asked for"),
        ("runs.one.epochs: 4", "first.yaml:10: runs.one.epochs: 4"),
        ("runs.one.learning_rate: 4", "first.yaml:7: runs.one.learning_rate: 4"),
        ("nothing of ours", "nothing of ours"),
        ("database: no", "database: no"),
    ],
)
def test_a_message_that_begins_with_a_setting_is_told_with_its_place(files, message, told):
    assert Origins(files[:1], {}).located(message) == told


def test_two_runs_with_the_same_settings_are_an_error_that_names_both(files):
    files[1].write_text("train: {learning_rate: 0.1}\nruns:\n  two: {epochs: 1.0}\n")
    told = "second.yaml:3: runs.two has the same settings as runs.one: both would train the same model"
    assert problems(files)[0] == told
    for changed in ("seed: 2", "weights: {a.b: 2}", "freeze: [llm]"):
        files[1].write_text(f"train: {{learning_rate: 0.1}}\nruns:\n  two: {{epochs: 1, {changed}}}\n")
        values = config.read_files(files)
        assert len(config.runs(config.check(values))) == 2
    for same in ("log_every: 3", "weights: {a.b: 1}", "workers: 0", "report_to: []"):
        files[1].write_text(f"train: {{learning_rate: 0.1}}\nruns:\n  two: {{epochs: 1, {same}}}\n")
        assert "same settings" in "; ".join(problems(files)), same


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("# 你好\nexperiment: e\n".encode("gbk"), r"mine\.yaml:1: is not UTF-8 but, as it seems, GBK"),
        ("experiment: e\n# 你好\n".encode("utf-16"), r"mine\.yaml: is in UTF-16, expected UTF-8"),
        ("experiment: e\n".encode("utf-16-le"), r"mine\.yaml: is in UTF-16"),
        (b"a: 1\nb: \xff\xff\xff\n", r"mine\.yaml:2: byte 0xff is not UTF-8"),
        (b"a: 1\nb: [\n", r"mine\.yaml:3: not valid YAML"),
        (b"a: 1\n\tb: 2\n", r"mine\.yaml:2: not valid YAML"),
        (b"a: 1\nb: \x07\n", r"mine\.yaml:2: U\+0007 cannot be in YAML"),
        (b"a: 1\na: 2\n", r"mine\.yaml:2: a stands here for the second time"),
    ],
)
def test_what_keeps_a_file_from_being_read_is_one_line(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(RecipeError, match=message):
        config.read_files(["mine.yaml"])


def test_a_mark_at_the_start_is_no_fault(tmp_path):
    (tmp_path / "mine.yaml").write_bytes(b"\xef\xbb\xbfexperiment: e\n")
    assert origins.compose(tmp_path / "mine.yaml").value[0][0].value == "experiment"


def test_numbers_given_as_text_are_taken_from_the_command_line_alone():
    base = {"model": {"base": "x"}, "data": {"train": {"s": "1"}, "valid": {"s": "d"}}}
    told = {
        "score": {"bootstrap": "10"}, "train": {"freeze": ["llm"], "learning_rate": "2e-5", "lora": "null"},
        "data": {"train": {"s": "007"}, "allow_commands": "true"}, "runs": {"a": {"epochs": "1"}},
    }  # fmt: skip
    made = config.check(config.merged(base, told))
    assert made.score.bootstrap == 10 and made.train.learning_rate == 2e-5 and made.train.lora is None
    assert made.data.train["s"] == "007" and made.data.allow_commands is True
    assert config.runs(made)["a"].epochs == 1
    with pytest.raises(RecipeError, match=r'score\.bootstrap is "10", expected a whole number'):
        config.check(base | {"score": {"bootstrap": "10"}})
