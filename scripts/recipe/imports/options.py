"""What is asked for with an import, besides the format and the places."""

from dataclasses import dataclass, field

from recipe.files import RecipeError


@dataclass(frozen=True)
class ImportOptions:
    """Choices of an import; each format heeds some of them, `run.FORMATS` says which."""

    columns: dict[str, str] = field(default_factory=dict)  # role (audio, text, speaker ...) -> column
    split: str | None = None
    config: str | None = None  # of a data set of the hub
    revision: str | None = None
    delimiter: str | None = None
    header: bool = True
    root: str | None = None  # folder that relative paths count from
    audio: str | None = None  # folder of recordings, or a wav.scp
    tier: str | None = None
    segments: str | None = None
    pause: float = 0.5  # seconds
    max_seconds: float = 30.0
    prompts: bool = False


ROLES = (
    "audio", "text", "key", "speaker", "language", "group", "channel", "start", "end", "duration", "prompt", "hotwords",
)  # fmt: skip


def parse_columns(given: str) -> dict[str, str]:
    """The mapping of `audio=path,text=sentence`. RecipeError for what is no role, or has no column."""
    found: dict[str, str] = {}
    for word in given.split(","):
        role, equals, column = word.partition("=")
        role, column = role.strip(), column.strip()
        if not equals or not column or role not in ROLES:
            raise RecipeError(
                f"--columns: {word!r}, expected ROLE=COLUMN (a name, or a number from 1 with --no-header) with one of "
                f"{', '.join(ROLES)}"
            )
        if role in found:
            raise RecipeError(f"--columns: {role} is given twice, {found[role]} and {column}; keep one")
        found[role] = column
    return found
