"""Settings of decoding."""

from typing import Annotated, Literal

from pydantic import Field

from recipe.settings.section import AUTO, section, setting


@section
class DecodeSettings:
    """Decoding of the test sets."""

    batch_seconds: Literal["auto"] | Annotated[float, Field(gt=0)] = setting(
        AUTO, "Padded audio a batch (seconds). auto is 160 on a CPU and up to 2400 on a GPU, by its memory."
    )
    beams: int = setting(1, "Beams; 1 is greedy.", ge=1)
    max_tokens_per_second: float = setting(
        12.0, "A hypothesis is stopped at 16 tokens plus this times its duration, and flagged.", gt=0
    )
    # The encoder has positions for 122.9 s.
    max_seconds: float = setting(
        30.0, "Longer recordings are cut at silences and decoded in pieces (seconds).", ge=2, le=120
    )
    hotwords: tuple[Annotated[str, Field(pattern="""^[^,'"]+$""")], ...] = setting(
        (), "Words to expect; a test set's utt2hotwords (key, words separated by commas) says others for its keys."
    )
    strict: bool = setting(
        False, "A recording that cannot be read stops the run; otherwise it is counted and scored as empty."
    )
    shards: int = setting(
        1, "Parts of each test set, decoded as jobs of their own, e.g. as many as there are GPUs.", ge=1
    )
    engine: Literal["transformers", "funasr"] = setting(
        "transformers", "What decodes: the recipe itself (transformers), or the package funasr on the exported model."
    )
    cuda_graph: bool = setting(
        True, "Replay decoding steps as CUDA graphs, where there is a GPU (more than twice as fast)."
    )
    workers: int = setting(
        0, "Processes that read audio; 0 reads in a thread of the decoding process.", ge=0, le=1024, indifferent=True
    )
