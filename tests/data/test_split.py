"""One data directory in three that share no speaker, or no recording."""

import pytest

from recipe.data.split import split
from recipe.files import RecipeError

SHARES = {"valid": 0.1, "test": 0.2}


def write(folder, **tables):
    folder.mkdir()
    for name, rows in tables.items():
        (folder / name.replace("wav_scp", "wav.scp")).write_text("".join(f"{row}\n" for row in rows))
    return folder


def rows(folder, name):
    path = folder / name
    return dict(line.partition(" ")[::2] for line in path.read_text().splitlines()) if path.exists() else {}


@pytest.fixture
def corpus(tmp_path):
    """Forty speakers with five utterances each."""
    keys = [f"s{speaker}-{i}" for speaker in range(40) for i in range(5)]
    return write(
        tmp_path / "all", wav_scp=[f"{key} wav/{key}.wav" for key in keys], text=[f"{key} {key} said" for key in keys],
        utt2spk=[f"{key} {key.partition('-')[0]}" for key in keys],
    )  # fmt: skip


def test_every_utterance_is_in_one_set_and_no_speaker_in_two(corpus, tmp_path):
    made = split(corpus, tmp_path / "sets", SHARES, 1)
    assert made.utterances == {"train": 140, "valid": 20, "test": 40} and (made.unit, made.units) == ("speaker", 40)
    parts = [rows(tmp_path / "sets" / name, "text") for name in made.utterances]
    assert {key: value for part in parts for key, value in part.items()} == rows(corpus, "text")
    assert sum(map(len, parts)) == 200
    speakers = [set(rows(tmp_path / "sets" / name, "utt2spk").values()) for name in made.utterances]
    assert sum(map(len, speakers)) == 40
    assert rows(tmp_path / "sets/train", "wav.scp").keys() == parts[0].keys()
    key = next(iter(parts[2]))
    assert rows(tmp_path / "sets/test", "wav.scp")[key] == f"{corpus}/wav/{key}.wav"
    with pytest.raises(RecipeError, match="there already"):
        split(corpus, tmp_path / "sets", SHARES, 1)
    again, other = (split(corpus, tmp_path / f"seed{seed}", SHARES, seed) for seed in (1, 2))
    assert again == made and other.utterances == made.utterances
    assert rows(tmp_path / "seed1/test", "text") == parts[2] != rows(tmp_path / "seed2/test", "text")


def test_parts_of_a_recording_stay_together_and_orphans_are_kept(tmp_path):
    keys = [f"r{recording}-{i}" for recording in range(10) for i in range(10)]
    corpus = write(
        tmp_path / "all", wav_scp=[*(f"r{i} /a/r{i}.wav" for i in range(10)), "unused cat x |"],
        segments=[f"{key} {key.partition('-')[0]} 0 1" for key in keys],
        text=[*(f"{key} hi" for key in keys), "lost hi"],
        utt2spk=[f"{key} one" for key in keys],
    )  # fmt: skip
    made = split(corpus, tmp_path / "sets", SHARES, 1)
    assert made.utterances == {"train": 70, "valid": 10, "test": 20} and made.unit == "recording"
    recordings = [set(rows(tmp_path / "sets" / name, "wav.scp")) for name in made.utterances]
    assert [len(found) for found in recordings] == [8, 1, 2] and "unused" in recordings[0]
    for name, there in zip(made.utterances, recordings, strict=True):
        assert {value.split()[0] for value in rows(tmp_path / "sets" / name, "segments").values()} <= there
    assert "lost" in rows(tmp_path / "sets/train", "text")


@pytest.mark.parametrize("seed", range(1, 7))
def test_who_speaks_most_is_trained_on(tmp_path, seed):
    keys = [f"s{speaker}-{i}" for speaker in range(12) for i in range(100 if speaker == 0 else 5)]
    corpus = write(
        tmp_path / "all", wav_scp=[f"{key} wav/{key}.wav" for key in keys], text=[f"{key} said" for key in keys],
        utt2spk=[f"{key} {key.partition('-')[0]}" for key in keys],
    )  # fmt: skip
    made = split(corpus, tmp_path / "sets", {"valid": 0.05, "test": 0.1}, seed)
    assert made.utterances == {"train": 135, "valid": 5, "test": 15}


def test_too_few_to_draw_from(tmp_path):
    corpus = write(tmp_path / "all", wav_scp=["a a.wav", "b b.wav"], text=["a x", "b y"])
    with pytest.raises(RecipeError, match="only 2 "):
        split(corpus, tmp_path / "sets", SHARES, 1)
    write(tmp_path / "three", wav_scp=["a a", "b b", "c c"], text=["a x", "b y", "c z"])
    assert set(split(tmp_path / "three", tmp_path / "sets", SHARES, 1).utterances.values()) == {1}
    with pytest.raises(RecipeError, match="without text"):
        split(write(tmp_path / "none", wav_scp=["a a"]), tmp_path / "x", SHARES, 1)
