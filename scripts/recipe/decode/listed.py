"""What is to be decoded: the entries of a list of recordings, of a manifest, or of a folder."""

from collections.abc import Iterable
from dataclasses import dataclass

from recipe.data import datadir, join, recordings
from recipe.data.checked import Rejected
from recipe.data.join import Entry
from recipe.files import RecipeError
from recipe.settings.data import PromptSettings
from recipe.text import prompt
from recipe.text.prompt import EACH

TABLES = ("segments", "utt2prompt", "utt2hotwords", "utt2channel")  # beside wav.scp


@dataclass(frozen=True)
class RecordingList:
    """Where recordings are named: one of a wav.scp, JSONL in the published format, or a folder of audio files."""

    scp_file: str | None = None
    input_jsonl: str | None = None
    audio_dir: str | None = None

    @property
    def path(self) -> str:
        return self.scp_file or self.input_jsonl or self.audio_dir or ""

    def tables(self, names: Iterable[str] = datadir.OPTIONAL) -> dict[str, str]:
        """Tables beside wav.scp, by name."""
        return datadir.tables(self.scp_file, list(names)) if self.scp_file else {}

    def source(self, entry: Entry) -> str:
        """The recording of an entry, seen from the working directory."""
        return datadir.resolve(entry.source, self.scp_file) if self.scp_file else entry.source


def entries(
    listed: RecordingList, asked: PromptSettings, hotwords: str, more: Iterable[str] = ()
) -> tuple[Iterable[Entry], list[Rejected]]:
    """The entries of the whole list, with prompts as `asked` (those of JSONL as they are) and `hotwords` where an entry
    has none of its own, and the files of a folder that are no recordings. `more` are names of tables beside wav.scp
    that are read too. RecipeError if the prompt's language is that of each utterance and no table says it."""
    if listed.input_jsonl:
        return join.from_jsonl(listed.input_jsonl), []
    tables = listed.tables(dict.fromkeys([*TABLES, *more, *([EACH] if asked.language == EACH else [])]))
    if asked.language == EACH and EACH not in tables:
        raise RecipeError(f"{listed.path}: there is no utt2lang beside it, which --language {EACH} needs")
    make_prompt = prompt.prompt_maker(asked.wording, asked.language, asked.itn, hotwords)
    if listed.scp_file:
        return join.join(listed.scp_file, None, tables, make_prompt), []
    found = recordings.survey(listed.audio_dir)
    entries = [
        Entry(i, key, path, prompt=make_prompt(None, None)) for i, (key, path) in enumerate(found.recordings.items(), 1)
    ]
    return entries, [Rejected(*other) for other in found.others]


def is_decoded(entry: Entry) -> bool:
    """Whether an entry gets a hypothesis: one of a key that came before, or a recording that no segment is of, gets
    none."""
    return not entry.again and not (entry.problem and entry.problem[0] == join.NO_SEGMENTS)
