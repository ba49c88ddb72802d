"""Settings: said once, refused alike by the workflow and by the scripts, and the same as flags."""

import argparse
import dataclasses
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT

from recipe import cli
from recipe.files import RecipeError
from recipe.settings import flags, train
from recipe.settings.config import Config
from recipe.settings.data import Checks, DataSettings
from recipe.settings.decode import DecodeSettings
from recipe.settings.pseudo import SelectionSettings
from recipe.settings.score import ScoreSettings
from recipe.settings.section import changed, from_mapping, schema
from recipe.settings.suspects import SuspectsSettings
from recipe.text.markup import ENTITY, INVISIBLE, KINDS, MARKUP, SPECIAL
from recipe.workflow import config

WRONG = [
    ("scheduler: nonsense", 'scheduler is "nonsense", expected one of cosine, linear, constant,'),
    ("augment: {noise_share: 7}", "augment.noise_share is 7, expected a number from 0 to 1"),
    ("warmup: -1", "warmup is -1, expected a number of 0 or more"),
    ("freeze: [encodr]", 'freeze is ["encodr"], expected auto or a list of encoder, adaptor, llm'),
    ("batch_seconds: much", 'batch_seconds is "much", expected auto or a number over 0'),
    ("lora: {rank: 0}", "lora.rank is 0, expected a whole number of 1 or more"),
    ("lora: {rnk: 4}", "unknown setting lora.rnk (is rank meant?)"),
    (
        "learning_rates: {encodr: 1e-4}",
        "learning_rates.encodr is no possible name, expected one of encoder,",
    ),
    ("epochs: .nan", "epochs is NaN, expected a number of 0 or more"),
    ("learning_rate: .inf", "learning_rate is Infinity, expected a number over 0"),
    ("seed: 4294967296", "seed is 4294967296, expected a whole number from 0 to 4294967295"),
    ("trainer: {adam_beta1: .nan}", "trainer: nan, expected a finite number"),
    ("trainer: {fsdp_config: {a: [1, -.inf]}}", "trainer: -inf, expected a finite number"),
    ("compile: 1", "compile is 1, expected auto or true or false"),
    ("seed: 2024-01-01", 'seed is "2024-01-01", expected a whole number from 0 to 4294967295'),
    ("augment: {snr_db: [9, 3]}", "augment.snr_db is [9.0, 3.0], expected the least and then the largest"),
    ("freeze: [encoder, adaptor, llm]", "freeze names every part of the model"),
]


@pytest.mark.parametrize(("line", "words"), WRONG)
def test_a_run_and_the_script_refuse_the_same_with_the_same_words(tmp_path, line, words):
    (tmp_path / "run.yaml").write_text(line)
    with pytest.raises(RecipeError) as by_script:
        train.load(tmp_path / "run.yaml")
    data = {"train": {"s": "d"}, "valid": {"s": "d"}}
    values = {"model": {"base": "x"}, "data": data, "runs": {"a": yaml.safe_load(line)}}
    with pytest.raises(RecipeError) as by_workflow:
        config.runs(config.check(values))
    said = [str(error.value).partition(": ")[2] for error in (by_script, by_workflow)]
    assert said[0] == said[1] and words in said[0]


def test_the_script_itself_says_so(tmp_path):
    (tmp_path / "run.yaml").write_text("augment: {noise_share: 7}")
    command = [sys.executable, ROOT / "scripts/train.py", "--config", tmp_path / "run.yaml", "--model", "m"]
    command += ["--train-jsonl", "t", "--valid-jsonl", "v", "--output-dir", tmp_path / "o"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 2 and "noise_share is 7, expected a number from 0 to 1" in done.stderr, done.stderr


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(RecipeError) as error:
        config.check({"model": {"base": "x"}, "data": {"tets": {}, "channel": "left"}, "train": {"epochs": -1}})
    assert all(name in str(error.value) for name in ("data.channel is", "unknown setting data.tets", "train.epochs is"))


def test_every_setting_says_what_it_is():
    root = schema(Config)
    for part in (root, *root["$defs"].values()):
        for name, entry in part["properties"].items():
            assert entry.get("description") or "$ref" in entry, name


def sections(*given):
    parser = argparse.ArgumentParser()
    names = {kind: [field.name for field in dataclasses.fields(kind)] for kind in (DataSettings, DecodeSettings)}
    data = [name for name in names[DataSettings] if name not in ("train", "valid", "test", "workers", "shards")]
    decode = [
        name
        for name in names[DecodeSettings]
        if name not in ("workers", "shards", "max_seconds", "max_tokens_per_second")
    ]
    flags.add(parser, DataSettings, data)
    flags.add(parser, DecodeSettings, decode)
    args = parser.parse_args(given)
    return [flags.section(args, DataSettings, data), flags.section(args, DecodeSettings, decode)], (data, decode)


def test_settings_come_through_flags_as_they_were():
    values = {
        "channel": 1,
        "max_tokens_per_second": "auto",
        "prompt": {"language": "zh", "itn": False},
        "fetch": {"retries": 0},
    }
    data = from_mapping(DataSettings, values, "data")
    decode = from_mapping(
        DecodeSettings, {"hotwords": ["a b", "it is"], "cuda_graph": False, "batch_seconds": 3}, "decode"
    )
    _, names = sections()
    given = [*flags.words(data, names[0]), *flags.words(decode, names[1])]
    assert sections(*given)[0] == [data, decode]
    assert sections()[0] == [DataSettings(), DecodeSettings()], "without flags, the defaults"


@pytest.mark.parametrize("kind", [train.TrainSettings, DecodeSettings, DataSettings, ScoreSettings, SuspectsSettings])
def test_empty_lists_are_flags_that_scripts_accept(kind):
    """As the workflow hands them over: a script refuses a flag without a value."""
    emptied = [name for name, part in schema(kind)["properties"].items() if part.get("type") == "array"]
    emptied = [name for name in emptied if not schema(kind)["properties"][name].get("minItems")]
    wanted = from_mapping(kind, {name: [] for name in emptied}, "")
    given, parser = flags.words(wanted, emptied), argparse.ArgumentParser()
    flags.add(parser, kind, emptied)
    cli._refuse_empty(given)
    assert flags.section(parser.parse_args(given), kind, emptied) == wanted


HARD = ["-x", "--workers", "a b", "a'b", 'a"b', "a=b", "a,b", "none", "null", "true", "auto", "1:30", "{a}", "$HOME"]
HARD += [[text] for text in HARD] + [["-uh", "none"], [], ["wandb", "mlflow"]]
HARD += [True, False, 0, 1, 3, 1e-7, 1e22, 123456.789, -70.5, 2**63 - 1]
HANDED_OVER = {
    train.TrainSettings: train.INDIFFERENT,
    DecodeSettings: schema(DecodeSettings)["properties"],
    DataSettings: [name for name in schema(DataSettings)["properties"] if name != "pack"],
    ScoreSettings: ["equivalent", "fillers", "bootstrap"],
    SuspectsSettings: ["folds", "utterances", "seed"],
    SelectionSettings: schema(SelectionSettings)["properties"],
}


@pytest.mark.parametrize("kind", HANDED_OVER)
def test_whatever_a_setting_may_be_comes_through_its_flag(kind):
    parser, names, tried = argparse.ArgumentParser(), HANDED_OVER[kind], set()
    flags.add(parser, kind, names)
    for name in names:
        allowed = schema(kind)["properties"][name]
        choices = [value for one in allowed.get("anyOf", [allowed]) for value in one.get("enum", [one.get("const")])]
        for value in [*HARD, *choices]:
            try:
                wanted = from_mapping(kind, {name: value}, "")
            except (RecipeError, ValueError):
                continue
            given = flags.words(wanted, names)
            cli._refuse_empty(given)
            assert flags.section(parser.parse_args(given), kind, names) == wanted, (name, value)
            tried.add(name)
    sections_and_sets = {"train", "valid", "test", "prompt", "fetch"}
    assert set(names) - tried <= sections_and_sets


WRONG_FLAGS = [
    ("--channel=left", '--channel is "left", expected average or a whole number of 0 or more'),
    ("--channel=1.5", "--channel is 1.5, expected average or a whole number of 0 or more"),
    ("--channel=", '--channel is "", expected average or a whole number'),
    (
        "--channel=99999999999999999999",
        "--channel is 99999999999999999999, expected a number of at most 9223372036854775807",
    ),
    ("--max-seconds=nan", '--max-seconds is "nan", expected a number over 0 and to 122'),
    ("--max-seconds=inf", '--max-seconds is "inf", expected'),
    ("--max-seconds=1e999", "--max-seconds is Infinity, expected"),
    ("--max-seconds=-3", "--max-seconds is -3, expected"),
    ("--max-seconds=1:30", '--max-seconds is "1:30", expected'),
    ("--max-seconds=0x10", '--max-seconds is "0x10", expected'),
    ("--max-seconds={a", '--max-seconds is "{a", expected'),
    ("--fetch-timeout=nan", '--fetch-timeout is "nan", expected a number over 0'),
    ("--fetch-retries=[1]", '--fetch-retries is "[1]", expected a whole number of 0 or more'),
    ("--wording=fr", '--wording is "fr", expected one of zh, en'),
    ("--markup=yes", '--markup is "yes", expected one of reject, remove, keep'),
    ("--language=auto", "--language: 'auto' is no known language; known are zh, en"),
    ("--language=", "--language: '' is no known language"),
    ("--hotwords=a'b", '--hotwords is ["a\'b"], expected a list of text'),
]


@pytest.mark.parametrize(("flag", "words"), WRONG_FLAGS)
def test_a_wrong_flag_is_refused_by_its_name_in_the_words_of_the_setting(flag, words):
    with pytest.raises(RecipeError) as error:
        sections(flag)
    assert str(error.value).startswith(words) and "\n" not in str(error.value)


@pytest.mark.parametrize("flag", ["--max-seconds=7", "--max-seconds=07", "--max-seconds=7.", "--max-seconds=.7e1"])
def test_numbers_of_flags_are_decimal(flag):
    assert sections(flag)[0][0].max_seconds == 7


@pytest.mark.parametrize(
    ("script", "flag", "words"),
    [("scp2jsonl", "--channel=left", "--channel is"), ("scp2jsonl", "--shard=0/0", "expected I/N with I from 1 to N"),
     ("scp2jsonl", "--workers=0", "expected a whole number from 1 to 1024"),
     ("decode", "--channel=left", "--channel is"),
     ("decode", "--threads=-1", "'-1', expected a whole number of 0 or more"),
     ("decode", "--language=klingon", "'klingon' is no known language"),
     ("fbank_stats", "--sample=nan", '--sample is "nan", expected a whole number of 0 or more'),
     ("train", "--train-weights=nan", "'nan', expected a number of 0 or more"),
     ("normalize", "--workers=0", "'0', expected a whole number of 1 or more"),
     ("init_model", "--seed=1.5", "'1.5', expected a whole number of 0 or more")],
)  # fmt: skip
def test_a_wrong_flag_is_a_usage_error_of_every_script(script, flag, words):
    required = {
        "scp2jsonl": "--scp-file a --transcript-file b --jsonl-file c --rejects-file d --tokenizer e",
        "decode": "--model-dir a --scp-file b --output-file c",
        "fbank_stats": "--jsonl-file a --output-dir b",
        "train": "--config a --train-jsonl b --valid-jsonl c --model d --output-dir e",
        "normalize": "--mode raw a b",
        "init_model": "--text a --output-dir b",
    }
    command = [sys.executable, f"{ROOT}/scripts/{script}.py", *required[script].split(), flag]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and words in done.stderr.splitlines()[-1], done.stderr
    assert "Traceback" not in done.stderr


def test_a_language_is_stored_by_its_code_whatever_it_is_called():
    for name in ("zh-CN", "Chinese", "汉语", "cmn"):
        assert from_mapping(DataSettings, {"prompt": {"language": name}}, "x").prompt.language == "zh"
        assert sections(f"--language={name}")[0][0].prompt.language == "zh"
    assert from_mapping(DataSettings, {"prompt": {"language": "utt2lang"}}, "x").prompt.language == "utt2lang"
    with pytest.raises(
        RecipeError, match=r"data.prompt.language: 'auto' is no known language; .*; utt2lang takes"
    ) as error:
        config.check({"model": {"base": "x"}, "data": {"prompt": {"language": "auto"}}})
    assert "\n" not in str(error.value) and str(error.value).count("language: ") == 1


def test_special_tokens_are_never_kept_in_what_is_trained_on():
    for chosen, special in (("reject", "reject"), ("remove", "remove"), ("keep", "reject")):
        checks = Checks(markup=chosen, invisible="keep")
        found = {kind: checks.policy(kind) for kind in KINDS}
        assert found == {SPECIAL: special, MARKUP: chosen, ENTITY: chosen, INVISIBLE: "keep"}
    assert Checks().policy(INVISIBLE) == "remove" and Checks().policy(MARKUP) == "reject"


def test_a_stage_is_told_what_differs_from_the_defaults_alone():
    run = from_mapping(
        train.RunSettings, {"lora": {}, "augment": {"noise_share": 0.5, "hotwords": {"share": 0.1}}}, "x"
    )
    assert changed(run) == {"lora": {}, "augment": {"hotwords": {"share": 0.1}}}
    assert from_mapping(train.RunSettings, changed(run), "x") == run
    assert flags.words(DecodeSettings(), ["beams", "cuda_graph"]) == []
