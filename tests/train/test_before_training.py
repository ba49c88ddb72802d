"""What would end a training late is found before it begins."""

import dataclasses
import json
import os
from collections import Counter

import pytest
from conftest import SENTENCES
from stages import scp2jsonl

from recipe.audio import reading as audio
from recipe.files import RecipeError
from recipe.model import network as model
from recipe.settings import train as settings
from recipe.settings.config import Config
from recipe.settings.section import from_mapping
from recipe.train import run as train
from recipe.train.arguments import check_schedule, trainer_arguments
from recipe.train.sets import TrainingInputs, open_manifests, read_sets
from recipe.train.trainer import without_target
from recipe.workflow import config as workflow_config

SETTINGS = settings.TrainSettings(
    max_steps=2, learning_rate=1e-3, batch_seconds=5.0, evaluations=1, decode_utterances=2, workers=0, select="last"
)


@pytest.fixture
def manifest(data_dir, full_model):
    scp2jsonl(data_dir, full_model)
    return data_dir / "out" / "set.jsonl"


def run(base, manifest, folder, weights=(), **changes):
    inputs = TrainingInputs([manifest], [manifest], weights)
    chosen = dataclasses.replace(SETTINGS, **changes)
    return train.train(model.load(base), chosen, inputs, folder / "model", folder / "state")


@pytest.fixture
def nothing_is_read(monkeypatch):
    """No audio is read, whatever is found."""

    def read(*args, **kwargs):
        raise AssertionError("training began")

    monkeypatch.setattr(audio, "read", read)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trainer": {"nonsense": 1}}, "trainer: transformers.TrainingArguments has no nonsense"),
        ({"trainer": {"ddp_timeot": 1}}, r"has no ddp_timeot \(is ddp_timeout meant\?\)"),
        ({"trainer": {"num_train_epochs": 1, "dataloader_num_workers": 8}}, "sets dataloader_num_workers, num_train"),
        ({"trainer": {"label_smoothing_factor": 0.1}}, "the recipe sets label_smoothing_factor itself"),
        ({"scheduler": "cosine_with_min_lr"}, r"needs the least rate: trainer: {lr_scheduler_kwargs: {min_lr_rate"),
        ({"learning_rate": 2}, "learning_rate is 2, expected a number over 0 and to 1"),
        ({"learning_rates": {"llm": 5}}, "learning_rates.llm is 5"),
        ({"augment": {"hotwords": {"share": 1, "file": "words"}}}, r"hotwords\.file: words:2: 'x' is no hotword"),
        ({"augment": {"hotwords": {"share": 1, "file": "none"}}}, r"hotwords\.file: none: holds no words"),
    ],
)
def test_the_workflow_refuses_at_its_start(tmp_path, monkeypatch, values, message):
    """Without torch or transformers being imported: by the settings alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words").write_text("good\nx\n")
    (tmp_path / "none").write_text("\n")
    data = {role: {"s": "folder"} for role in ("train", "valid", "test")}
    with pytest.raises(RecipeError, match=message) as found:
        workflow_config.runs(
            from_mapping(Config, {"model": {"base": "m"}, "data": data, "runs": {"a": values}}, "config")
        )
    assert "runs.a: " in str(found.value) and "\n" not in str(found.value)


def test_what_the_settings_allow_of_the_trainer_is_known_to_it(tmp_path):
    import transformers

    known = {field.name for field in dataclasses.fields(transformers.TrainingArguments)}
    assert settings.known_trainer_arguments() == known
    assert settings.OWN_ARGUMENTS - known <= {"warmup_ratio"}
    allowed = {"lr_scheduler_kwargs": {"min_lr_rate": 0.1}, "ddp_timeout": 99}
    chosen = settings.whole(settings.TrainSettings, {"scheduler": "cosine_with_min_lr", "trainer": allowed}, "here")
    check_schedule(trainer_arguments(chosen, tmp_path, "fp32"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trainer": {"nonsense": 1}}, "has no nonsense"),
        ({"trainer": {"lr_scheduler_kwargs": {"cycles": 3}}}, r"scheduler: .*cosine with .*cycles"),
        ({"scheduler": "polynomial", "learning_rate": 1e-8}, "scheduler: .*lr_end"),
        ({"trainer": {"fsdp": "full_shard", "fsdp_config": "none.json"}}, "trainer: "),
        ({"weights": (0.0,)}, "weights of the training manifests are"),
        ({"weights": (-1.0,)}, "weights of the training manifests are"),
        ({"average": 2}, "average is 2"),
    ],
)
def test_training_refuses_before_anything_is_read(full_model, manifest, tmp_path, nothing_is_read, changes, message):
    with pytest.raises(RecipeError, match=message):
        run(full_model, manifest, tmp_path, **changes)


def test_a_model_that_cannot_be_written_is_told_before_training(full_model, manifest, tmp_path, nothing_is_read):
    (tmp_path / "model").write_text("")
    with pytest.raises(RecipeError, match="model: is a file"):
        run(full_model, manifest, tmp_path)
    if os.getuid():
        (tmp_path / "model").unlink()
        (tmp_path / "state").mkdir(exist_ok=True)
        tmp_path.chmod(0o500)
        with pytest.raises(PermissionError):
            run(full_model, manifest, tmp_path)


def test_advice_that_contradicts_the_settings_is_told(full_model, manifest, tmp_path, monkeypatch, nothing_is_read):
    monkeypatch.setattr(train, "advise", lambda hours: {"freeze": ["llm"], "why": "many"})
    with pytest.raises(RecipeError, match=r"freeze: auto is .*cache_frozen needs a frozen encoder"):
        run(full_model, manifest, tmp_path, freeze="auto", cache_frozen=True)


def test_what_speed_leaves_nothing_of_is_listed(full_model, manifest, tmp_path):
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    lines[2] |= {"end": 0.03, "start": 0.0, "duration": 0.03, "speech_length": 1}
    manifest.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    faster = settings.AugmentSettings(speeds=(1.0, 2.0))
    run(full_model, manifest, tmp_path / "a", augment=faster, max_unreadable=0.0, max_steps=8)
    listed = [line.split("\t")[:3] for line in (tmp_path / "a/rejects.tsv").read_text().splitlines()[1:]]
    assert listed == [["spk0-utt2", "train", "audio-too-short"]]
    run(full_model, manifest, tmp_path / "b", max_unreadable=0.0)
    assert len((tmp_path / "b/rejects.tsv").read_text().splitlines()) == 1


class TestPositions:
    """The language model has so many positions; prompt, audio and text have to fit into them."""

    def sets(self, base, manifest, folder, positions, **changes):
        recognizer = model.load(base)
        recognizer.model.config.get_text_config().max_position_embeddings = positions
        chosen = dataclasses.replace(SETTINGS, **changes)
        inputs = TrainingInputs([manifest], [manifest])
        manifests = open_manifests(inputs, folder / "sets")
        train_set, valid_set = read_sets(recognizer, chosen, inputs, manifests, folder / "rejects.tsv", folder / "sets")
        rejects = [line.split("\t") for line in (folder / "rejects.tsv").read_text().splitlines()[1:]]
        return train_set, valid_set, rejects

    def test_what_is_counted_is_what_batches_have(self, full_model, manifest, tmp_path):
        """Neither more than is needed is rejected nor less."""
        train_set, valid_set, _ = self.sets(full_model, manifest, tmp_path, 4096)
        tokens = [len(train_set[0, i].example.input_ids) for i in range(8)]
        written = [int(12 * len(valid_set[0, i].features) * 0.06) + 16 for i in range(8)]
        decoded = [len(without_target(valid_set[0, i]).example.input_ids) + written[i] for i in range(8)]
        assert max(decoded) > max(tokens)
        for limit in sorted({*tokens, *decoded} - {*range(min(decoded))}):
            train_set, valid_set, rejects = self.sets(full_model, manifest, tmp_path, limit)
            assert len(train_set) == sum(count <= limit for count in tokens)
            assert len(valid_set) == sum(count <= limit for count in decoded) == 16 - len(train_set) - len(rejects)
            assert not {one.key for one in train_set.utterances} & {line[0] for line in rejects[: 8 - len(train_set)]}

    def test_a_long_prompt_of_the_data_is_rejected_and_named(self, data_dir, full_model, tmp_path, caplog):
        (data_dir / "utt2hotwords").write_text(f"spk1-utt3 {', '.join(['turn on the light'] * 500)}\n")
        scp2jsonl(data_dir, full_model)
        train_set, valid_set, rejects = self.sets(full_model, data_dir / "out/set.jsonl", tmp_path, 1024)
        assert [line[:3] for line in rejects] == 2 * [["spk1-utt3", "train", "prompt-too-long"]]
        assert "positions" in rejects[0][3] and len(train_set) == len(valid_set) == 7
        assert "2 utterances have more tokens than the language model has positions" in caplog.text

    def test_hotwords_that_never_fit_are_an_error_that_says_how_many_do(self, full_model, manifest, tmp_path):
        (tmp_path / "words").write_text("".join(f"{SENTENCES[0]} {i}\n" for i in range(200)))

        def listed(count):
            hotwords = settings.HotwordSettings(share=1.0, max_words=count, file=str(tmp_path / "words"))
            return settings.AugmentSettings(hotwords=hotwords)

        with pytest.raises(RecipeError, match=r"max_words is 200, .* the longest (\d+): lower max_words") as found:
            self.sets(full_model, manifest, tmp_path, 400, augment=listed(200))
        fits = int(str(found.value).split("the longest ")[-1].split(":")[0])
        train_set, _, rejects = self.sets(full_model, manifest, tmp_path, 400, augment=listed(fits))
        assert fits and len(train_set) == 8 and not rejects
        for epoch in range(20):
            assert all(len(train_set[epoch, i].example.input_ids) <= 400 for i in range(8))
        assert len(self.sets(full_model, manifest, tmp_path, 400, augment=listed(fits + 1))[0]) < 8

    def test_weights_stay_with_their_utterances(self, full_model, data_dir, tmp_path):
        """Of each of two manifests one is left out."""
        (data_dir / "utt2hotwords").write_text(f"spk0-utt2 {', '.join(['turn on the light'] * 500)}\n")
        scp2jsonl(data_dir, full_model)
        rare, often = data_dir / "out/set.jsonl", tmp_path / "often.jsonl"
        often.write_text(rare.read_text().replace("-utt", "-other"))
        recognizer = model.load(full_model)
        recognizer.model.config.get_text_config().max_position_embeddings = 1024
        inputs = TrainingInputs([rare, often], [rare], [0.0, 2.0])
        manifests = open_manifests(inputs, tmp_path / "sets")
        train_set, _ = read_sets(recognizer, SETTINGS, inputs, manifests, tmp_path / "rejects.tsv", tmp_path / "sets")
        drawn = Counter(train_set.utterances[i].key for i in train_set.indices(0).tolist())
        assert drawn == {f"spk{i % 2}-other{i}": 2 for i in range(8) if i != 2}

    def test_weights_that_come_to_no_utterance_are_an_error(self, manifest, tmp_path):
        inputs = TrainingInputs([manifest], [manifest], [1e-9])
        with pytest.raises(RecipeError, match=r"an epoch has 8e-09 utterances, .*set\.jsonl \(8, weight 1e-09\)"):
            open_manifests(inputs, tmp_path / "sets")

    def test_prompts_that_never_fit_are_an_error(self, full_model, manifest, tmp_path):
        with pytest.raises(RecipeError, match=r"no utterance fits into the language model's 20 positions"):
            self.sets(full_model, manifest, tmp_path, 20)
