"""Settings of the data stage: the sets, what is asked of the model, what is checked, and how recordings are read."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from recipe.settings.section import AUTO, section, setting
from recipe.text.languages import UnknownLanguage, canonical
from recipe.text.markup import INVISIBLE, SPECIAL
from recipe.text.prompt import EACH

NonEmpty = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")]
Rate = Literal["auto"] | Annotated[float, Field(ge=0)]
Policy = Literal["reject", "remove", "keep"]
AVERAGE = "average"


def _language(name: str) -> str:
    """A language's code by any of its names, or EACH."""
    try:
        return name if name == EACH else canonical(name)
    except UnknownLanguage as error:
        raise ValueError(f"{error}; {EACH} takes that of each utterance") from None


@section
class PromptSettings:
    """Instruction to the model, the same in training and decoding."""

    wording: Literal["zh", "en"] = setting("zh", "Language of the instruction.")
    language: Annotated[str, AfterValidator(_language)] | None = setting(
        None,
        "Language to write in: zh, en, ja or another of those in docs/data.md, by code or name; utt2lang takes that "
        "of each utterance; null leaves it unsaid.",
    )
    itn: bool = setting(True, "false asks for spoken words instead of written numbers.")


@section
class FetchSettings:
    """What a URL or a command in wav.scp may cost."""

    timeout: float = setting(60.0, "Time for one (seconds).", gt=0)
    megabytes: float = setting(500.0, "Size of one (MB).", gt=0)
    retries: int = setting(3, "Further attempts at a URL after a failure that may pass.", ge=0)


@section
class Checks:
    """Limits of an acceptable utterance."""

    min_seconds: float = setting(0.1, "Shorter utterances are rejected (seconds).", ge=0.025)
    max_seconds: float = setting(40.0, "Longer utterances are rejected (seconds).", gt=0, le=122)
    min_tokens_per_second: Rate = setting(
        0.05, "Transcripts with fewer tokens per second of audio are rejected; auto learns the limit from the set."
    )
    max_tokens_per_second: Rate = setting(
        40.0, "Transcripts with more tokens per second of audio are rejected; auto learns the limit from the set."
    )
    verify: Literal["auto", "header", "full"] = setting(
        AUTO,
        "header checks what headers and file sizes say; full decodes everything; auto is full for sets of up to 200 "
        "hours.",
    )
    silence_db: float = setting(
        -70.0, "With verify full, utterances of a lower RMS level are rejected (dB of full scale).", le=0
    )
    max_clipped: float = setting(
        0.05, "With verify full, utterances with a larger share of samples at full scale are rejected.", ge=0, le=1
    )
    non_nfc: Literal["reject", "convert"] = setting(
        "reject", "Transcripts that are not in Unicode's composed form (NFC) are rejected or converted."
    )
    markup: Policy = setting(
        "reject",
        "Transcripts with special tokens (<|im_end|>), marks of other tools (<unk>, [noise]) or HTML entities are "
        "rejected, or these are removed (an entity becomes its character); keep trains on them, but never on the "
        "model's own special tokens, which are rejected then, too.",
    )
    invisible: Policy = setting(
        "remove",
        "Characters that show nothing, such as U+200B and U+FEFF: removed, which is counted; or reject or keep.",
    )
    channel: Literal["average"] | Annotated[int, Field(ge=0)] = setting(
        AVERAGE, "Of recordings with several channels: their average, or the index of one from 0."
    )

    def __post_init__(self):
        for what in ("seconds", "tokens_per_second"):
            least, most = (getattr(self, f"{end}_{what}") for end in ("min", "max"))
            if AUTO not in (least, most) and least > most:
                raise ValueError(f"min_{what} is {least:g}, more than max_{what}, {most:g}: nothing would be accepted")

    def policy(self, kind: str) -> Policy:
        """What is done about a transcript with a `kind` of recipe.text.markup.KINDS in it."""
        if kind == INVISIBLE:
            return self.invisible
        return "reject" if kind == SPECIAL and self.markup == "keep" else self.markup


@section
class WeightedSet:
    """A training set that is seen more or less often."""

    dir: NonEmpty = Field(description="Data directory or JSONL file.")
    weight: float = Field(gt=0, description="How often the set is seen in an epoch; fractions are allowed.")


@section
class DataSettings(Checks):
    """Kaldi data directories (wav.scp, text, optional segments, utt2spk, utt2lang, utt2group, utt2prompt, utt2hotwords,
    utt2channel, each plain or with gzip) or JSONL files by name, and what is checked of them."""

    max_reject_ratio: float = setting(0.1, "The run stops if more than this share of a set is rejected.", ge=0, le=1)
    train: dict[Name, NonEmpty | WeightedSet] = setting(
        dict, "Sets to train on; {dir, weight} sees a set weight times as often."
    )
    valid: dict[Name, NonEmpty] = setting(dict, "Sets to choose the checkpoint by.")
    test: dict[Name, NonEmpty] = setting(dict, "Sets to score every model on.")
    exclude: NonEmpty | None = setting(
        None,
        "A table of utterances to leave out, such as suspects.tsv (docs/suspects.md): tabs, a header line, the key in "
        "the first column; with a column `set` (role/name) a line is about that set alone.",
    )
    prompt: PromptSettings = setting(PromptSettings, "Instruction to the model, the same in training and decoding.")
    fetch: FetchSettings = setting(FetchSettings, "What a URL or a command in wav.scp may cost.")
    allow_commands: bool = setting(False, "Run wav.scp entries that end in `|` with a shell.")
    pack: bool | Literal["flac"] = setting(
        False,
        "true packs the recordings of training and validation sets into shards of about 1 GB, which training reads "
        "(docs/data.md); flac makes them 16 kHz FLAC there.",
    )
    workers: int = setting(2, "Processes that check audio, per set or shard.", ge=1, le=1024, indifferent=True)
    shards: int = setting(1, "Jobs that a set is split into, for clusters and corpora of many hours.", ge=1)


@section
class StatsSettings:
    """Statistics of each set."""

    sample: int = setting(2000, "Utterances per set whose audio is read; 0 reads all.", ge=0)
    workers: int = setting(1, "Processes that read audio, per set.", ge=1, le=1024, indifferent=True)
