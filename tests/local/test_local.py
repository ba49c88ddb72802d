"""The corpora under local/: synthetic speech, the bundled data and the Free Spoken Digit Dataset."""

import itertools
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "local"))

import bundled  # noqa: E402
import espeak  # noqa: E402
import fsdd  # noqa: E402
import sentences  # noqa: E402
from espeak import Voice  # noqa: E402

from recipe.files import RecipeError  # noqa: E402
from recipe.text.tables import read_map  # noqa: E402

DATA = ROOT / "data"
SETS = ("train", "valid", "test", "test_general")
FSDD = ROOT.parent / "shared" / "data" / "fsdd"
HAN = re.compile(r"[一-鿿]")


def alternatives(*grammars):
    """Every alternative of every symbol, as what is spoken."""
    for grammar in grammars:
        for alternative in itertools.chain.from_iterable(grammar.values()):
            yield alternative if isinstance(alternative, str) else alternative.spoken


# --- Synthesis ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("variant", "text"), [("m3", "Call Tom."), ("f2", "a breathy voice"), ("klatt4", "seven")])
def test_the_same_text_and_voice_give_the_same_samples_whatever_came_before(variant, text):
    voice = Voice("en-us", variant, 170, 50)
    first = espeak.synthesize(text, voice)
    espeak.synthesize("Something else.", Voice("en", "f1", 190, 30))
    np.testing.assert_array_equal(espeak.synthesize(text, voice), first)


def test_synthesis_does_not_depend_on_the_process():
    code = (
        "import sys; sys.path[:0] = ['scripts', 'local']\n"
        "import espeak, hashlib\n"
        "samples = espeak.synthesize('你好', espeak.Voice('cmn', 'f2', 200, 50))\n"
        "print(hashlib.sha256(samples.tobytes()).hexdigest())"
    )
    runs = [subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True) for _ in range(2)]
    assert runs[0].stdout == runs[1].stdout


def test_speech_is_16_khz_with_peak_1_and_no_silence_around_it():
    slow, fast = (espeak.synthesize("Good morning.", Voice("en-us", "m3", rate, 50)) for rate in (120, 240))
    assert np.abs(slow).max() == 1
    assert abs(slow[0]) > 0.01
    assert abs(slow[-1]) > 0.01
    assert 0.3 * espeak.SAMPLE_RATE < len(fast) < len(slow) < 2 * espeak.SAMPLE_RATE


def test_an_unknown_voice_is_an_error_that_names_it():
    with pytest.raises(RecipeError, match=r"tlh\+m3"):
        espeak.synthesize("nuqneH", Voice("tlh", "m3", 170, 50))


def test_text_without_sound_is_an_error():
    with pytest.raises(RecipeError, match="no sound"):
        espeak.synthesize(" ", Voice("en-us", "m3", 170, 50))


def test_the_mandarin_voice_reads_every_character_and_reads_latin_words_as_words():
    spoken = "".join(alternatives(sentences.CHINESE_GENERAL, sentences.CHINESE_DOMAIN, sentences.MIXED_DOMAIN))
    characters = sorted(set(HAN.findall(spoken)))
    assert len(characters) > 300
    read = espeak.phonemes("。".join(characters), "cmn")
    assert len(re.findall(r"\d+", read)) == len(characters)
    # The sound that espeak-ng makes of a character that it does not know.
    assert "@:" in espeak.phonemes("鿔", "cmn")
    assert "@:" not in read
    assert "(en)t'0m" in espeak.phonemes("给 Tom 打电话", "cmn")


def test_adjust_is_spoken_with_its_right_sound():
    adjust = sentences.CHINESE_DOMAIN["set_to"][0]
    assert adjust.written == "调到"
    assert espeak.phonemes(adjust.spoken, "cmn").startswith("thj'Au35")


# --- Sentences ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "english", "chinese"),
    [
        (2, "two", "二"),
        (10, "ten", "十"),
        (15, "fifteen", "十五"),
        (20, "twenty", "二十"),
        (45, "forty five", "四十五"),
        (100, "one hundred", "一百"),
    ],
)
def test_numbers_are_said_in_words(number, english, chinese):
    assert sentences.english_number(number) == english
    assert sentences.chinese_number(number) == chinese


@pytest.mark.parametrize(
    ("grammar", "symbol", "written", "spoken"),
    [
        (sentences.ENGLISH_DOMAIN, "time", "7:30", "seven thirty"),
        (sentences.ENGLISH_DOMAIN, "time", "12:00", "twelve o'clock"),
        (sentences.ENGLISH_DOMAIN, "price", "$12.50", "twelve dollars and fifty cents"),
        (sentences.ENGLISH_DOMAIN, "percent", "40%", "forty percent"),
        (sentences.CHINESE_DOMAIN, "percent", "40%", "百分之四十"),
        (sentences.CHINESE_DOMAIN, "early", "7点半", "七点半"),
        (sentences.CHINESE_DOMAIN, "afternoon", "2点15分", "两点十五分"),
        (sentences.CHINESE_DOMAIN, "price", "12.5元", "十二点五元"),
    ],
)
def test_the_domain_writes_digits_and_says_words(grammar, symbol, written, spoken):
    assert sentences.Phrase(written, spoken) in grammar[symbol]


def test_nothing_spoken_has_digits_and_only_the_domain_writes_them():
    rng = random.Random(0)
    for grammars in (bundled.GENERAL, bundled.DOMAIN):
        for grammar in grammars.values():
            drawn = list(itertools.islice(sentences.sentences(grammar, "sentence", rng), 300))
            assert not any(re.search(r"[0-9%$]", phrase.spoken) for phrase in drawn)
            with_digits = sum(bool(re.search(r"[0-9]", phrase.written)) for phrase in drawn)
            assert with_digits > 150 if grammars is bundled.DOMAIN else with_digits == 0


def test_sentences_are_distinct_and_begin_with_a_capital():
    drawn = list(itertools.islice(sentences.sentences(sentences.ENGLISH_GENERAL, "sentence", random.Random(0)), 500))
    assert len({phrase.written for phrase in drawn}) == 500
    assert all(phrase.written[0].isupper() for phrase in drawn)


def test_the_general_grammar_has_more_sentences_than_a_corpus_needs():
    assert all(sentences.count(grammar, "sentence") >= 100_000 for grammar in bundled.GENERAL.values())


def test_count_is_the_number_of_sentences():
    grammar = {"sentence": ["{a} and {a}", "{b}"], "a": ["x", "y"], "b": [sentences.Phrase("3", "three")]}
    drawn = {phrase.written for phrase in (sentences.expand(grammar, "sentence", random.Random(n)) for n in range(200))}
    assert sentences.count(grammar, "sentence") == len(drawn) == 5


# --- The sets -----------------------------------------------------------------------------------------------------


def test_more_sentences_than_there_are_is_an_error_and_no_endless_search():
    with pytest.raises(RecipeError, match="fewer utterances"):
        bundled.plan(bundled.pretrain_sets(10_000_000, 100)[0], "seed")


def test_test_voices_and_test_sentences_are_in_no_training_set():
    plans = {spec.name: bundled.plan(spec, f"{spec.name} 1") for spec in bundled.bundled_sets()}
    plans |= {f"pretrain {spec.name}": bundled.plan(spec, "seed") for spec in bundled.pretrain_sets(2000, 100)}
    for test in ("test", "test_general"):
        for name, utterances in plans.items():
            if name != test:
                assert not {u.voice.variant for u in plans[test]} & {u.voice.variant for u in utterances}, name
                assert not {u.phrase.written for u in plans[test]} & {u.phrase.written for u in utterances}, name


def test_a_set_is_whole_sorted_and_the_same_however_many_processes_make_it(tmp_path):
    spec = bundled.Set("tiny", 12, bundled.DOMAIN, range(0, 20), ["m3", "f2", "klatt4"], 1)
    utterances = bundled.plan(spec, "seed")
    for jobs in (1, 2):
        bundled.write_set(utterances, tmp_path / str(jobs) / "tiny", jobs)
    files = sorted(path.relative_to(tmp_path / "1") for path in (tmp_path / "1").rglob("*") if path.is_file())
    assert len(files) == 12 + 4
    for file in files:
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes(), file


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(RecipeError, match=r"precious\.txt"):
        bundled.write_set([], tmp_path, 1)
    assert (tmp_path / "precious.txt").read_text() == "mine"


# --- The bundled corpus -------------------------------------------------------------------------------------------


def test_the_bundled_corpus_stays_below_its_size():
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) < 12e6


@pytest.mark.parametrize("name", SETS)
def test_a_bundled_set_is_a_sound_data_directory_and_as_its_card_says(name):
    tables = {table: read_map(DATA / name / table) for table in ("wav.scp", "text", "utt2spk", "utt2lang")}
    keys = list(tables["wav.scp"])
    assert keys == sorted(keys)
    assert all(list(table) == keys for table in tables.values())
    assert all(key.startswith(tables["utt2spk"][key] + "-") for key in keys)
    seconds = 0
    for key, path in tables["wav.scp"].items():
        info = soundfile.info(DATA / name / path)
        assert (info.samplerate, info.channels, info.format) == (16000, 1, "FLAC"), key
        assert 0.7 < info.duration < 5, key
        seconds += info.duration
    languages = [list(tables["utt2lang"].values()).count(language) for language in ("en", "zh", "mix")]
    numbers = [len(keys), f"{seconds / 3600:.3f}", len(set(tables["utt2spk"].values())), *languages]
    card = (DATA / "README.md").read_text(encoding="utf-8")
    row = next(line for line in card.splitlines() if line.startswith(f"| `{name}` |"))
    assert [cell.strip() for cell in row.strip("|").split("|")[2:]] == [str(number) for number in numbers]


@pytest.mark.parametrize("spec", bundled.bundled_sets(), ids=lambda spec: spec.name)
def test_the_command_makes_the_bundled_corpus_again(spec, tmp_path):
    utterances = bundled.plan(spec, f"{spec.name} 1")
    assert read_map(DATA / spec.name / "text") == {
        u.key: u.phrase.written for u in sorted(utterances, key=lambda u: u.key)
    }
    for utterance in utterances[:3]:
        bundled.make_audio(utterance, tmp_path)
        made, _ = soundfile.read(tmp_path / f"{utterance.key}.flac", dtype="int16")
        stored, _ = soundfile.read(DATA / spec.name / "wav" / f"{utterance.key}.flac", dtype="int16")
        assert len(made) == len(stored)
        # Another processor may round a sample the other way: by one step.
        assert np.abs(made.astype(int) - stored).max() <= 2 ** (16 - spec.bits)


# --- Free Spoken Digit Dataset ------------------------------------------------------------------------------------


def run_fsdd(source, target):
    command = [sys.executable, str(ROOT / "local" / "fsdd.py"), str(source), str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def fake_fsdd(folder, names):
    folder.mkdir(parents=True)
    for name in names:
        soundfile.write(folder / name, np.zeros(800), 8000)


def test_fsdd_keeps_the_official_split_and_holds_out_valid(tmp_path):
    fake_fsdd(tmp_path / "in" / "recordings", [f"{digit}_ann_{take}.wav" for digit in (0, 7) for take in range(12)])
    result = run_fsdd(tmp_path / "in", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    takes = {name: sorted(read_map(tmp_path / "out" / name / "wav.scp")) for name in ("train", "valid", "test")}
    assert [key for key in takes["test"] if "-7-" in key] == [f"ann-7-0{take}" for take in range(5)]
    assert [key for key in takes["valid"] if "-7-" in key] == [f"ann-7-0{take}" for take in (5, 6, 7)]
    assert [key for key in takes["train"] if "-7-" in key] == ["ann-7-08", "ann-7-09", "ann-7-10", "ann-7-11"]
    assert read_map(tmp_path / "out" / "test" / "text")["ann-7-03"] == "seven"
    assert set(read_map(tmp_path / "out" / "test" / "utt2spk").values()) == {"ann"}
    assert set(read_map(tmp_path / "out" / "test" / "utt2lang").values()) == {"en"}
    assert all(Path(path).is_file() for path in read_map(tmp_path / "out" / "train" / "wav.scp").values())


def test_fsdd_in_train_and_test_folders_gives_the_same_split():
    paths = [Path("train/3_bob_9.wav"), Path("test/3_bob_0.wav"), Path("train/3_bob_6.wav")]
    sets = fsdd.split(paths)
    assert {name: [entry.key for entry in entries] for name, entries in sets.items()} == {
        "train": ["bob-3-09"],
        "test": ["bob-3-00"],
        "valid": ["bob-3-06"],
    }


@pytest.mark.parametrize(
    ("names", "message"),
    [([], "no recordings"), (["seven.wav"], "seven.wav"), (["1_ann_0.wav"], "no recordings for train")],
)
def test_fsdd_errors_say_what_is_wrong(tmp_path, names, message):
    fake_fsdd(tmp_path / "in" / "recordings", names)
    result = run_fsdd(tmp_path / "in", tmp_path / "out")
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(not FSDD.is_dir(), reason="the dataset is not here")
def test_fsdd_as_distributed_is_prepared_whole(tmp_path):
    assert run_fsdd(FSDD, tmp_path).returncode == 0
    sizes = {name: len(read_map(tmp_path / name / "wav.scp")) for name in ("train", "valid", "test")}
    assert sizes == {"train": 1680, "valid": 120, "test": 200}
    # Its own data directories say the same.
    assert read_map(tmp_path / "test" / "text") == read_map(FSDD / "test" / "text")
