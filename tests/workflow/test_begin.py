"""A first configuration for one's own data, and the presets, each of which trains a model of the published form."""

import os
import shutil
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT, write_data
from small_workflow import call, snakemake
from stages import scp2jsonl

from recipe.files import RecipeError
from recipe.settings.section import as_mapping
from recipe.workflow import begin, config

PRESETS = sorted(file.stem for file in (ROOT / "config/presets").glob("*.yaml"))
OWN = ROOT / "config/own.yaml"
# What makes a training of seconds of a preset's.
SHORT = {
    "max_steps": 1,
    "warmup": 0.0,
    "batch_seconds": 5.0,
    "evaluations": 1,
    "decode_utterances": 1,
    "workers": 0,
    "select": "last",
}


@pytest.fixture
def corpus(tmp_path):
    """A folder with the sets that a corpus has."""
    for name in ("train", "dev", "test_clean", "test_other"):
        folder = tmp_path / "corpus" / name
        folder.mkdir(parents=True)
        (folder / "wav.scp").write_text("a a.wav\n")
        (folder / "text").write_text("a words\n")
    return tmp_path / "corpus"


def configure(folder, *arguments):
    """Run the script in a folder, without a network."""
    command = [sys.executable, ROOT / "scripts/configure.py", *arguments]
    environ = os.environ | {"HF_HUB_OFFLINE": "1"}
    return subprocess.run(list(map(str, command)), cwd=folder, env=environ, capture_output=True, text=True)


def test_sets_are_found_by_their_names(corpus):
    (corpus / "train_more.jsonl").write_text("")
    (corpus / "dev2").mkdir()
    for other in ("testing", "trainer", "audio"):
        (corpus / other).mkdir()
    found = begin.find_sets(corpus)
    assert {role: list(places) for role, places in found.sets.items()} == {
        "train": ["train", "train_more"], "valid": ["dev"], "test": ["test_clean", "test_other"],
    }  # fmt: skip
    assert found.incomplete == [f"{corpus}/dev2 (without wav.scp and text)"]
    assert begin.find_sets(corpus).sets["valid"]["dev"] == f"{corpus}/dev"


def test_sets_in_a_folder_data_are_found_too(corpus):
    (corpus.parent / "project").mkdir()
    corpus.rename(corpus.parent / "project/data")
    assert list(begin.find_sets(corpus.parent / "project").sets["train"]) == ["train"]


def test_what_is_missing_is_named(corpus):
    shutil.rmtree(corpus / "dev")
    (corpus / "test_clean/text").unlink()
    shutil.rmtree(corpus / "test_other")
    with pytest.raises(RecipeError, match=r"no set for valid or dev, test: .*test_clean \(without text\)"):
        begin.find_sets(corpus)
    with pytest.raises(RecipeError, match="no such folder"):
        begin.find_sets(corpus / "nowhere")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["wavs/a.wav", "list.csv"], "import_corpus.py table {folder}/list.csv"),
        (["data/train-00000-of-00001.parquet", "README.md"], "import_corpus.py hf {folder} "),
        (["train/spk/a.wav", "train/spk/a.txt"], "import_corpus.py txt {folder}/train corpora/train`"),
        (["clips/a.mp3", "validated.tsv", "train.tsv"], "import_corpus.py common-voice {folder} "),
        (["wav.scp", "text"], "split_corpus.py {folder} OUT"),
        (["a.wav"], "copy config/own.yaml"),
        (["my corpus/wav.scp", "my corpus/text"], "split_corpus.py '{folder}' OUT"),
        (["my corpus/train/a.wav", "my corpus/train/a.txt"], "import_corpus.py txt '{folder}/train' corpora/train`"),
        (["dev-clean/84/84-1-0001.flac", "dev-clean/84/84-1.trans.txt"], "copy config/own.yaml"),
    ],
)
def test_what_makes_sets_of_another_corpus_is_said(tmp_path, files, words):
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("")
    folder = tmp_path / "my corpus" if files[0].startswith("my corpus") else tmp_path
    with pytest.raises(RecipeError) as refused:
        begin.find_sets(folder)
    assert words.format(folder=folder) in str(refused.value)


def test_json_lines_of_another_format_are_no_set(corpus):
    (corpus / "train_more.jsonl").write_text('{"audio": "a.wav", "text": "words"}\n')
    assert begin.find_sets(corpus).incomplete[0].startswith(f"{corpus}/train_more.jsonl (without messages")
    (corpus / "train_more.jsonl").write_text('{\n  "messages": []\n}\n')
    with pytest.raises(RecipeError, match=r"train_more\.jsonl:1: JSON begins here as an object over several lines"):
        begin.find_sets(corpus)


@pytest.mark.parametrize("presets", [[], ["lora"], ["telephone"], ["full", "telephone", "adaptor", "lora"]])
def test_what_is_written_says_what_was_found(corpus, tmp_path, presets):
    told = ["--preset", *presets] if presets else []
    done = configure(tmp_path, "corpus", "--model", ROOT / "models/tiny", *told)
    assert done.returncode == 0, done.stderr
    assert "wrote mine.yaml" in done.stdout and "--configfile mine.yaml" in done.stdout
    text = (tmp_path / "mine.yaml").read_text()
    made = config.check(yaml.safe_load(text))
    assert made.experiment == "mine" and made.model.base == str(ROOT / "models/tiny")
    assert made.data.train == {"train": "corpus/train"} and made.data.valid == {"dev": "corpus/dev"}
    assert list(made.data.test) == ["test_clean", "test_other"]
    runs = {name for name in presets if name != "telephone"} or {"adaptor"}
    assert config.runs(made).keys() == runs
    assert (made.train.augment.frequency_masks > 0) == ("telephone" in presets)
    assert text.count("# Results go to") == 1 and "--configfile mine.yaml config/presets" not in text
    again = configure(tmp_path, "corpus", "--model", ROOT / "models/tiny")
    assert again.returncode == 2 and "mine.yaml: is there already" in again.stderr
    assert (tmp_path / "mine.yaml").read_text() == text


def test_the_published_model_is_the_default_and_lacks_its_commit_only_without_a_network(corpus, tmp_path):
    done = configure(tmp_path, "corpus", "--output", "calls.yaml")
    made = config.check(yaml.safe_load((tmp_path / "calls.yaml").read_text()))
    assert made.model.base == "FunAudioLLM/Fun-ASR-Nano-2512-hf" and made.model.revision is None
    assert made.experiment == "calls" and "write the model's commit into it" in done.stdout
    done = configure(tmp_path, "corpus", "--output", "other.yaml", "--revision", "a" * 40)
    assert config.check(yaml.safe_load((tmp_path / "other.yaml").read_text())).model.revision == "a" * 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["corpus", "--preset", "lorra"], "there is no lorra; there are adaptor, full, lora, telephone"),
        (["corpus", "--model", "no/such/model"], "no/such/model: no such directory"),
        (["corpus", "--model", "corpus"], "corpus: neither config.yaml (toolkit) nor config.json (HF)"),
        (["corpus", "--output", "corpus"], "corpus: is there already"),
    ],
)
def test_mistakes_are_one_line(corpus, tmp_path, arguments, message):
    done = configure(tmp_path, *arguments)
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1


def test_names_that_yaml_would_read_otherwise_stay_what_they_are(tmp_path):
    sets = {role: {"1e3": "/my data/#1: x"} for role in ("train", "valid", "test")}
    text = begin.configuration(OWN.read_text(), [], "2026", ("models/tiny", None), sets)
    made = config.check(yaml.safe_load(text))
    assert made.experiment == "2026" and made.data.test == {"1e3": "/my data/#1: x"}


def test_the_file_for_ones_own_data_has_nothing_of_the_example():
    own = config.check(yaml.safe_load(OWN.read_text()))
    assert own.train.ctc_weight == 0 and own.train.learning_rate < 1e-4 and not own.train.augment.changes_features
    assert len(OWN.read_text().splitlines()) < 50
    assert config.runs(own)["adaptor"].freeze == ("encoder", "llm")
    preset = yaml.safe_load((ROOT / "config/presets/adaptor.yaml").read_text())
    assert yaml.safe_load(OWN.read_text())["runs"] == preset["runs"]


def test_all_presets_go_together_and_differ():
    files = [OWN, *(ROOT / f"config/presets/{name}.yaml" for name in PRESETS)]
    runs = config.runs(config.check(config.read_files(files)))
    assert set(runs) == {"adaptor", "full", "lora"}
    lora = runs["lora"].lora
    assert (lora.rank, lora.alpha, lora.dropout, lora.targets) == (16, 32.0, 0.05, ("q_proj", "v_proj"))
    assert runs["lora"].learning_rate == 1e-4 and runs["lora"].freeze == ("encoder", "adaptor")
    assert all(run.augment.speeds == (0.9, 1.0, 1.1) for run in runs.values())


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in PRESETS if name != "lora"]


@pytest.mark.parametrize("name", ["lora", *SLOW])
def test_a_preset_trains_a_model_of_the_published_form(name, full_model, data_dir, tmp_path):
    """By train.py, with the settings that the workflow would hand over, on a random small model."""
    from safetensors.torch import load_file

    scp2jsonl(data_dir, full_model)
    made = config.check(config.read_files([OWN, ROOT / f"config/presets/{name}.yaml"]))
    run = config.runs(made)["adaptor" if name == "telephone" else name]
    settings = {
        key: value for key, value in as_mapping(run).items() if key not in ("gpus", "nodes", "weights", "seeds")
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(settings | SHORT | {"learning_rate": 1e-3, "warmup": 0.0}))
    manifest = data_dir / "out/set.jsonl"
    command = [
        sys.executable, ROOT / "scripts/train.py", "--config", tmp_path / "run.yaml", "--train-jsonl", manifest,
        "--valid-jsonl", manifest, "--model", full_model, "--output-dir", tmp_path / "model", "--threads", "1",
    ]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    before, after = load_file(full_model / "model.safetensors"), load_file(tmp_path / "model/model.safetensors")
    moved = {key.split(".")[1] for key in after if not after[key].equal(before[key])}
    expected = {
        "adaptor": {"multi_modal_projector"}, "telephone": {"multi_modal_projector"}, "lora": {"language_model"},
        "full": {"audio_tower", "multi_modal_projector", "language_model"},
    }  # fmt: skip
    assert moved - {"weight"} == expected[name]


# --- README.md ----------------------------------------------------------------------------------------------------


def steps():
    """The commands of the section on one's own data, in their order."""
    section = (ROOT / "README.md").read_text().partition("## Your own data\n")[2].partition("\nA real corpus")[0]
    blocks = section.split("```sh\n")[1:]
    return [line.strip() for block in blocks for line in block.partition("```")[0].splitlines() if line.strip()]


def test_the_steps_of_the_readme_do_what_it_says(tmp_path, full_model):
    """Literally, but for the place of the corpus, the model, and how long is trained."""
    for name in ("train", "valid", "test"):
        write_data(tmp_path / "corpus" / name, 4)
    (tmp_path / "config").symlink_to(ROOT / "config")
    made, planned, run, compared = steps()
    assert made == "make config DATA=/my/corpus"
    done = configure(tmp_path, "corpus", "--model", full_model)
    assert done.returncode == 0, done.stderr
    # make only hands this over: see the test below.
    values = yaml.safe_load((tmp_path / "mine.yaml").read_text())
    values["train"] = SHORT | {"decode_utterances": 0}
    values["score"] = {"bootstrap": 10, "modes": ["faithful"]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values))
    for line in (planned, run):
        assert line.split()[:3] == ["snakemake", "--cores", "all"]
        status, text = call(tmp_path, *line.split()[3:])
        assert status == 0, text
    report = tmp_path / "exp/mine/report"
    assert (report / "report.html").is_file() and "adaptor" in (report / "summary.md").read_text()
    assert (tmp_path / "exp/mine/data/train/train.rejects.tsv").is_file()
    text = snakemake(tmp_path, "--dry-run", *compared.split()[3:-3], settings="mine.yaml")
    assert "Nothing to be done" in text
    status, text = call(tmp_path, "--dry-run", *compared.split()[3:])
    assert status == 0 and "train: lora" in text and "train: adaptor" not in text


def test_make_hands_over_what_is_said():
    given = ["DATA=/my corpus", "MODEL=m", "PRESET=lora,telephone", "OUT=a.yaml", f"REVISION={'a' * 40}"]
    done = subprocess.run(
        ["make", "--just-print", "-o", "setup", "config", *given], cwd=ROOT, capture_output=True, text=True
    )
    text = " ".join(done.stdout.replace("\\\n", " ").split())
    assert 'scripts/configure.py "/my corpus" --output "a.yaml" --model "m"' in text
    assert f"--revision {'a' * 40} --preset lora telephone" in text
