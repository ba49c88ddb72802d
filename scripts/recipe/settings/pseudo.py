"""Settings of training on recordings without transcripts."""

from pydantic import Field

from recipe.settings.data import Name, NonEmpty
from recipe.settings.section import section, setting


@section
class SelectionSettings:
    """Which transcripts of a model are kept to train on."""

    min_confidence: float = setting(
        0.9, "Transcripts of which less is expected to be right are left out (share of the words).", ge=0, le=1
    )
    max_disagreement: float = setting(
        0.1, "Transcripts that differ more from the second opinion are left out (edits per token, normalized).", ge=0
    )


@section
class PseudoSettings(SelectionSettings):
    """Recordings without transcripts that a model transcribes for others to be trained on."""

    audio: NonEmpty = Field(
        description="The recordings: a folder of audio files, a wav.scp, a data directory or a JSONL file."
    )
    model: Name = Field(description="The run whose model transcribes them, or base for the untouched model.")
    agree: Name | None = setting(
        None,
        "Another run, or base, whose transcripts must agree; null asks the same model again, with noise in the "
        "recordings.",
    )
    noise_db: float = setting(
        15.0, "Speech over the white noise of the second opinion, where agree is null (dB).", ge=0
    )

    def __post_init__(self):
        if self.agree == self.model:
            raise ValueError(f"agree is {self.agree}, which is the model itself; name another, or null for noise")
