"""Data sets as `datasets` writes them, as data directories; skipped where the package is not there."""

import io
import shutil

import pytest
import soundfile
from conftest import tone
from importing import manifest, refused, run, said, write_jsonl, write_wav


def audio_bytes(seconds, kind="FLAC"):
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(seconds, 2), 16000, format=kind)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, request):
    """The same rows saved in every way."""
    datasets = pytest.importorskip("datasets")
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    folder = tmp_path_factory.mktemp("datasets")
    environ = pytest.MonkeyPatch()
    request.addfinalizer(environ.undo)
    environ.setenv("HF_HOME", str(folder / "cache"))
    features = datasets.Features(
        {
            "id": datasets.Value("int64"),
            "audio": datasets.Audio(sampling_rate=16000),
            "sentence": datasets.Value("string"),
            "speaker_id": datasets.Value("int64"),
            "language": datasets.ClassLabel(names=["en", "zh"]),
        }
    )
    write_wav(folder / "outside.wav", 1.5)
    audio = [
        {"bytes": audio_bytes(1.0), "path": "clips/a.flac"},
        {"bytes": audio_bytes(0.5, "WAV"), "path": None},
        {"bytes": None, "path": str(folder / "outside.wav")},
        {"bytes": None, "path": "not-here.wav"},
        None,
        {"bytes": audio_bytes(0.5), "path": "clips/a.flac"},
        {"bytes": b"", "path": "e.flac"},
    ]
    rows = {
        "id": list(range(7)),
        "audio": pa.array(audio, pa.struct({"bytes": pa.binary(), "path": pa.string()})),
        "sentence": ["one", "zwei\nZeilen", "three", "four", "five", None, "seven"],
        "speaker_id": [1, 2, 1, 1, 1, 1, 1],
        "language": [0, 1, 0, 0, 0, 0, 0],
    }
    table = pa.table(rows).cast(features.arrow_schema)
    (folder / "parquet").mkdir()
    pq.write_table(table, folder / "parquet/train-00000-of-00001.parquet")
    pq.write_table(table.slice(0, 1), folder / "parquet/test-00000-of-00001.parquet")
    # Saving takes the bytes of files that are there into the data set, and stops at others.
    one = datasets.Dataset(table).select([0, 1, 2, 4, 5, 6])
    one.save_to_disk(str(folder / "saved"))
    datasets.DatasetDict({"train": one, "test": one.select([0])}).save_to_disk(str(folder / "splits"))
    return folder


PLACES = {
    "saved": (), "splits": ("--split", "train"), "parquet": ("--split", "train"),
    "parquet/train-00000-of-00001.parquet": (),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_data_sets(corpus, tmp_path, monkeypatch, name):
    result = run(monkeypatch, "hf", corpus / name, tmp_path / "out", *PLACES[name])
    assert [reason for _, reason in result.rejects()] == [
        *["audio-missing"] * (2 if "parquet" in name else 1), "transcript-missing", "audio-empty",
    ]  # fmt: skip
    records = manifest(monkeypatch, result)
    unnamed = next(key for key in records if key.endswith("-00000002"))
    assert {key: (*said(record), record["language"]) for key, record in records.items()} == {
        "a": ("one", 1.0, "1", "en"),
        unnamed: ("zwei Zeilen", 0.5, "2", "zh"),
        "outside": ("three", 1.5, "1", "en"),
    }
    assert (tmp_path / "out/wav/a.flac").read_bytes() == audio_bytes(1.0)
    assert result.table("wav.scp")[unnamed].endswith(".wav")
    assert result.table("wav.scp")["outside"] == (
        str(corpus / "outside.wav") if "parquet" in name else "wav/outside.wav"
    )


def test_splits_and_columns_are_named(corpus, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    assert "train, test" in refused(monkeypatch, capsys, "hf", corpus / "splits", out)
    assert "no split 'dev'" in refused(monkeypatch, capsys, "hf", corpus / "splits", out, "--split", "dev")
    line = refused(monkeypatch, capsys, "hf", corpus / "saved", out, "--columns", "text=sentense")
    assert "is sentence meant?" in line and "speaker_id" in line
    assert "no such file" in refused(monkeypatch, capsys, "hf", tmp_path / "none", out)
    (tmp_path / "empty").mkdir()
    assert "no data set" in refused(monkeypatch, capsys, "hf", tmp_path / "empty", out)
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    assert "x.parquet" in refused(monkeypatch, capsys, "hf", tmp_path / "x.parquet", out)
    monkeypatch.chdir(tmp_path)
    assert "nobody/such-a-set" in refused(monkeypatch, capsys, "hf", "nobody/such-a-set", out)


def test_a_clone_of_the_hub_has_configurations(corpus, tmp_path, monkeypatch, capsys):
    clone = tmp_path / "clone"
    for name, split in (("en", "train"), ("de", "test")):
        (clone / name).mkdir(parents=True)
        shutil.copy(corpus / f"parquet/{split}-00000-of-00001.parquet", clone / name / "train-00000-of-00001.parquet")
    assert "--config" in refused(monkeypatch, capsys, "hf", clone, tmp_path / "a", "--config", "de")
    files = "".join(
        f"- config_name: {name}\n  data_files:\n  - split: train\n    path: {name}/train-*\n" for name in ("en", "de")
    )
    (clone / "README.md").write_text(f"---\nconfigs:\n{files}---\n# A corpus\n")
    assert "en, de" in refused(monkeypatch, capsys, "hf", clone, tmp_path / "b")
    result = run(monkeypatch, "hf", clone, tmp_path / "out", "--config", "de")
    assert list(result.table("text").values()) == ["one"]


def test_audiofolder_with_a_table_in_parquet(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    for split in ("train", "test"):
        write_wav(tmp_path / f"af/{split}/a.wav", 1.0)
        pq.write_table(
            pa.table({"file_name": ["a.wav"], "transcription": [split]}), tmp_path / f"af/{split}/metadata.parquet"
        )
    result = run(monkeypatch, "hf", tmp_path / "af", tmp_path / "out", "--split", "test")
    assert result.table("text") == {"test/a": "test"}
    assert result.table("wav.scp") == {"test/a": str(tmp_path / "af/test/a.wav")}


def test_without_the_package_it_is_said_how_to_install_it(tmp_path, monkeypatch, capsys):
    import sys

    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "datasets", None)
    line = refused(monkeypatch, capsys, "hf", tmp_path / "x.parquet", tmp_path / "out")
    assert "uv pip install --group datasets" in line


def test_audiofolder(tmp_path, monkeypatch, capsys):
    """It needs no package."""
    for split in ("train", "test"):
        write_wav(tmp_path / f"c/data/{split}/sub/a.wav", 1.0)
    (tmp_path / "c/data/train/metadata.csv").write_text(
        "file_name,transcription,speaker_id\nsub/a.wav,hello,s1\nsub/none.wav,x,s1\n"
    )
    write_jsonl(tmp_path / "c/data/test/metadata.jsonl", {"file_name": "sub/a.wav", "text": "bye"})
    assert "--split" in refused(monkeypatch, capsys, "hf", tmp_path / "c", tmp_path / "out")
    assert "no table" in refused(monkeypatch, capsys, "hf", tmp_path / "c", tmp_path / "out", "--split", "dev")
    result = run(monkeypatch, "hf", tmp_path / "c", tmp_path / "out", "--split", "train")
    assert said(manifest(monkeypatch, result)["sub/a"]) == ("hello", 1.0, "s1")
    assert result.rejects() == [("sub/none", "audio-missing")]
    every = run(monkeypatch, "hf", tmp_path / "c", tmp_path / "out", "--split", "all")
    assert sorted(every.table("text").values()) == ["bye", "hello"]
