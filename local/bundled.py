"""Make the bundled corpus (data/), or a corpus of general speech to train a base model on.

Without --set: data/train, data/valid, data/test (the domain) and data/test_general, the same bytes every time. With
`--set pretrain`: OUTPUT_DIR/train and OUTPUT_DIR/valid, general sentences by other voices than those of the test sets,
as many as asked for. Every set is a Kaldi data directory (wav.scp with paths relative to it, text, utt2spk, utt2lang)
with 16 kHz FLAC files in wav/. Those of `pretrain` have a ctm too, which says when the synthesizer spoke each word.
"""

import argparse
import itertools
import logging
import multiprocessing
import random
import shutil
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import _recipe  # noqa: F401
import numpy as np
import sentences
import soundfile
from datadirs import TABLES, Entry, write_tables
from espeak import SAMPLE_RATE, Voice, spoken
from sentences import Grammar, Phrase, words
from word_times import Said, said

from recipe.cli import run
from recipe.files import RecipeError, open_atomic, write_lines

logger = logging.getLogger(__name__)

# Voice variants of espeak-ng by what they are for. Left out: whispers (Alicia is one), robots and echoes, and of
# several variants that sound the same all that are in another pool than the first.
TEST = words("m3, m6, f2, f5, max, robert, belinda, Nguyen, gustave, travis, Alex, pablo")
TEST_GENERAL = words("m2, m8, f1, linda, Mario, paul, victor, john, kaukovalta, quincy, Mike")
VALID = words("m5, f4, rob, pedro, ed, grandma")
TRAIN = words(
    """
    Andrea, Andy, Annie, Denis, Diogo, Gene, Gene2, Henrique, Hugo, Jacky, Lee, Michael, Reed, Storm, adam, anika,
    antonio, aunty, benjamin, boris, david, edward, edward2, f3, grandpa, ian, iven2, iven3, iven4, klatt3, klatt4,
    klatt5, klatt6, m1, m4, m7, marcelo, michel, miguel, mike2, sandro, shelby, steph, steph3, zac
    """
)
ACCENTS = {
    "us": "en-us",
    "gb": "en",
    "rp": "en-gb-x-rp",
    "scot": "en-gb-scotland",
    "carib": "en-029",
    "nyc": "en-us-nyc",
    "lanc": "en-gb-x-gbclan",
    "mid": "en-gb-x-gbcwmd",
}

GENERAL = {
    "en": sentences.ENGLISH_GENERAL,
    "zh": sentences.CHINESE_GENERAL,
    "mix": sentences.MIXED_GENERAL,
}
DOMAIN = {
    "en": sentences.ENGLISH_DOMAIN,
    "zh": sentences.CHINESE_DOMAIN,
    "mix": sentences.MIXED_DOMAIN,
}
# Into so many parts the hashes of sentences divide them.
BUCKETS = 20
# How many of 100 sentences.
SHARES = {"en": 45, "zh": 40, "mix": 15}

# The audio has this many significant bits: some noise, some 40 dB below the speech, but FLAC files of half the size.
# The set to tune on has one fewer, so that more of it fits.
BITS = 10
TRAIN_BITS = 9


@dataclass(frozen=True)
class Set:
    """What a set is made of. Its sentences are those whose hash falls into its `buckets` of BUCKETS, so that sets of
    the same grammars with other buckets share no sentence; every variant speaks as `speakers_each` speakers."""

    name: str
    size: int
    grammars: dict[str, Grammar]
    buckets: range
    variants: list[str]
    speakers_each: int
    bits: int = BITS


def bundled_sets() -> list[Set]:
    """The sets of the bundled corpus: as much audio as fits into 12 MB."""
    return [
        Set("train", 460, DOMAIN, range(6, 18), TRAIN, 2, TRAIN_BITS),
        Set("train_general", 400, GENERAL, range(2, 20), TRAIN, 2, TRAIN_BITS),
        Set("valid", 48, DOMAIN, range(4, 6), VALID, 1),
        Set("test", 108, DOMAIN, range(0, 4), TEST, 1),
        Set("test_general", 110, GENERAL, range(0, 1), TEST_GENERAL, 1),
    ]


def pretrain_sets(size: int, valid_size: int) -> list[Set]:
    """The sets of the corpus for base models, by voices of neither test set: general speech, and a little of the domain
    in sentences that no bundled set has."""
    return [
        Set("train", size, GENERAL, range(2, 20), TRAIN, 8),
        Set("valid", valid_size, GENERAL, range(1, 2), VALID, 2),
        Set("home", size // 15, DOMAIN, range(18, 20), TRAIN, 4),
    ]


@dataclass(frozen=True)
class Speaker:
    """Who speaks: the same variant, accent of English, pitch and rates throughout."""

    name: str
    variant: str
    accent: str
    pitch: int
    pitch_range: int
    english_rate: int
    chinese_rate: int


@dataclass(frozen=True)
class Utterance:
    """One utterance to make; level is the peak in dB of full scale, the silences are in seconds."""

    key: str
    language: str
    phrase: Phrase
    speaker: str
    voice: Voice
    level: float
    silence: tuple[float, float]
    bits: int


def make_speakers(variants: list[str], each: int, rng: random.Random) -> list[Speaker]:
    """`each` speakers of every variant, with different accents and pitches."""
    speakers = {}
    for variant in variants:
        for accent, pitch in zip(rng.sample(sorted(ACCENTS), each), rng.sample(range(25, 76, 5), each)):
            name = f"{variant.lower()}{accent}{pitch}"
            speakers[name] = Speaker(
                name=name,
                variant=variant,
                accent=ACCENTS[accent],
                pitch=pitch,
                pitch_range=rng.randint(35, 65),
                english_rate=rng.randint(160, 200),
                chinese_rate=rng.randint(205, 255),
            )
    return [speakers[name] for name in sorted(speakers)]


def sizes_by_language(spec: Set) -> dict[str, int]:
    """How many sentences of each language a set has; RecipeError if its grammars do not give as many."""
    sizes = {language: spec.size * share // 100 for language, share in SHARES.items()}
    sizes["en"] += spec.size - sum(sizes.values())
    for language, grammar in spec.grammars.items():
        # Drawing the last of all sentences would take for ever: half of them is the limit.
        limit = sentences.count(grammar, "sentence") * len(spec.buckets) // BUCKETS // 2
        if sizes[language] > limit:
            raise RecipeError(
                f"{spec.name}: {sizes[language]} sentences of language {language} are wanted, at most {limit} can be "
                "had; ask for fewer utterances"
            )
    return sizes


def choose_sentences(spec: Set, rng: random.Random) -> list[tuple[str, Phrase]]:
    """The distinct sentences of a set with their languages, in random order."""
    sizes = sizes_by_language(spec)
    chosen = []
    for language, grammar in spec.grammars.items():
        stream = sentences.sentences(grammar, "sentence", rng)
        fitting = (phrase for phrase in stream if sentences.bucket(phrase.written, BUCKETS) in spec.buckets)
        chosen += [(language, phrase) for phrase in itertools.islice(fitting, sizes[language])]
    rng.shuffle(chosen)
    return chosen


def plan(spec: Set, seed: str) -> list[Utterance]:
    """The utterances of a set: every sentence with a speaker, in turn, and small variations."""
    rng = random.Random(seed)
    speakers = make_speakers(spec.variants, spec.speakers_each, rng)
    utterances = []
    for number, (language, phrase) in enumerate(choose_sentences(spec, rng)):
        speaker = speakers[number % len(speakers)]
        english = language == "en"
        voice = Voice(
            # The Mandarin voice reads Latin words in English; the English voices do not read Han.
            language=speaker.accent if english else "cmn",
            variant=speaker.variant,
            rate=(speaker.english_rate if english else speaker.chinese_rate) + rng.randint(-8, 8),
            pitch=speaker.pitch + rng.randint(-3, 3),
            pitch_range=speaker.pitch_range,
        )
        utterances.append(
            Utterance(
                key=f"{speaker.name}-{number:05d}",
                language=language,
                phrase=phrase,
                speaker=speaker.name,
                voice=voice,
                level=round(rng.uniform(-18, -6), 1),
                silence=(round(rng.uniform(0.05, 0.12), 2), round(rng.uniform(0.08, 0.15), 2)),
                bits=spec.bits,
            )
        )
    return utterances


def speak(utterance: Utterance) -> tuple[np.ndarray, list[Said]]:
    """The speech of an utterance without the silence before and after it, and when its words are said in the whole."""
    speech, heard = spoken(utterance.phrase.spoken, utterance.voice)
    before = utterance.silence[0]
    times = [replace(word, start=word.start + before, end=word.end + before) for word in heard]
    return speech, said(utterance.phrase, times)


def make_audio(utterance: Utterance, folder: Path) -> tuple[float, list[Said]]:
    """Write the FLAC file of an utterance; returns its duration in seconds and when its words are said."""
    speech, times = speak(utterance)
    before, after = (np.zeros(round(seconds * SAMPLE_RATE)) for seconds in utterance.silence)
    samples = np.concatenate([before, speech, after]) * 10 ** (utterance.level / 20)
    step = 2 ** (16 - utterance.bits)
    samples = (np.round(samples * (2**15 / step)) * step).astype(np.int16)
    with open_atomic(folder / f"{utterance.key}.flac", "wb") as file:
        soundfile.write(file, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16", compression_level=1.0)
    return len(samples) / SAMPLE_RATE, times


def ctm(utterance: Utterance, times: list[Said]) -> list[str]:
    """Lines of a CTM: key, channel, begin, length, word."""
    words = [("".join(utterance.phrase.written[one.place : one.end_place].split()), one) for one in times]
    return [f"{utterance.key} 1 {one.start:.4f} {one.end - one.start:.4f} {word}" for word, one in words]


def write_set(utterances: list[Utterance], folder: Path, jobs: int, with_times: bool = False) -> None:
    """Write a data directory afresh, whole or not at all, and a `ctm` that says when words are said, if that is wanted;
    RecipeError if something else lies in `folder`."""
    foreign = sorted({path.name for path in folder.glob("*")} - {*TABLES, "wav", "ctm"})
    if foreign:
        raise RecipeError(f"{folder}: holds {foreign[0]!r}, which is not of this script's making; give another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        made = Path(temporary) / folder.name
        (made / "wav").mkdir(parents=True)
        # Processes, since espeak-ng is not thread-safe.
        with multiprocessing.get_context("fork").Pool(jobs) as pool:
            spoken_words = list(pool.imap(partial(make_audio, folder=made / "wav"), utterances, chunksize=8))
        seconds = sum(duration for duration, _ in spoken_words)
        if with_times:
            lines = zip(utterances, (times for _, times in spoken_words), strict=True)
            write_lines(made / "ctm", itertools.chain.from_iterable(itertools.starmap(ctm, lines)))
        write_tables(
            made, (Entry(u.key, f"wav/{u.key}.flac", u.phrase.written, u.speaker, u.language) for u in utterances)
        )
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
    logger.info("%s: %d utterances, %.3f hours", folder, len(utterances), seconds / 3600)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--set", choices=["bundled", "pretrain"], default="bundled", help="what to make (default: bundled)"
    )
    parser.add_argument("--output-dir", type=Path, help="default: data for bundled, corpora/pretrain for pretrain")
    parser.add_argument("--num-utterances", type=int, default=6000, help="pretrain: size of train (default: 6000)")
    parser.add_argument("--num-valid", type=int, default=100, help="pretrain: size of valid (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, another corpus (default: 1)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2); the result does not depend on it")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if min(args.num_utterances, args.num_valid, args.jobs) < 1:
        raise RecipeError("--num-utterances, --num-valid and --jobs must be at least 1")
    root = Path(__file__).resolve().parent.parent
    if args.set == "pretrain":
        sets, folder, seed = pretrain_sets(args.num_utterances, args.num_valid), root / "corpora/pretrain", "pretrain "
    else:
        sets, folder, seed = bundled_sets(), root / "data", ""
    for spec in sets:
        utterances = plan(spec, f"{seed}{spec.name} {args.seed}")
        write_set(utterances, (args.output_dir or folder) / spec.name, args.jobs, args.set == "pretrain")


if __name__ == "__main__":
    run(main)
