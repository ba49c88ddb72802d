"""The configuration as a whole: all sections of config.yaml."""

from typing import Any, Literal

from pydantic import Field

from recipe.settings.curve import CurveSettings, Fraction
from recipe.settings.data import DataSettings, Name, NonEmpty, StatsSettings
from recipe.settings.decode import DecodeSettings
from recipe.settings.export import ExportSettings
from recipe.settings.pseudo import PseudoSettings
from recipe.settings.score import ScoreSettings
from recipe.settings.section import AUTO, section, setting
from recipe.settings.suspects import SuspectsSettings
from recipe.settings.train import RunSettings


@section
class ModelSettings:
    """The model to start from."""

    base: NonEmpty = Field(
        description="HF directory, toolkit directory, or a hub's model (organization/name, with its revision)."
    )
    revision: str | None = setting(
        None, "Commit of a model of the hub, 40 hexadecimal digits; needed for one, because repositories change."
    )
    audio_tokens: Literal["auto", "low_frame_rate", "full"] = setting(
        AUTO,
        "Audio tokens that the model was trained with, where its directory does not state it (docs/models.md). auto is "
        "what it states, or else low_frame_rate, which is said in every log.",
    )


@section
class Config:
    """All settings of config.yaml."""

    experiment: Name = setting("default", "Name of the results folder, exp/<experiment>.")
    model: ModelSettings = Field(description="The model to start from.")
    data: DataSettings = Field(description="The sets, and what is checked of them.")
    stats: StatsSettings = setting(StatsSettings, "Statistics of each set.")
    train: RunSettings = setting(RunSettings, "Settings of every training run.")
    runs: dict[Name, dict[str, Any]] = setting(
        lambda: {"tuned": {}},
        "Training runs by name; each overrides settings of `train` and gives a model of that name.",
    )
    curve: tuple[Fraction, ...] | CurveSettings = setting(
        (), "The learning curve, e.g. [0.1, 0.3, 1], or {fractions: [0.1, 0.3, 1], runs: [lora]}; [] is none."
    )
    decode: DecodeSettings = setting(DecodeSettings, "Decoding of the test sets.")
    transcribe: dict[Name, NonEmpty] = setting(
        dict,
        "Recordings without references by name, a folder of audio files, a wav.scp, a data directory or a JSONL file, "
        "for `snakemake transcribe`: text, details and subtitles by every run's model (without runs, the base model).",
    )
    pseudo: dict[Name, PseudoSettings] = setting(
        dict,
        "Recordings without transcripts by name, which become a training set of that name for the runs whose `weights` "
        "name it: what a run's model is sure of (docs/pseudo.md).",
    )
    score: ScoreSettings = setting(ScoreSettings, "Normalization and scoring.")
    suspects: SuspectsSettings = setting(SuspectsSettings, "The search for wrong transcripts.")
    export: ExportSettings = setting(ExportSettings, "What `snakemake export` makes of the runs' models.")

    @property
    def curve_settings(self) -> CurveSettings:
        """All settings of the learning curve, where fractions alone were given as well."""
        return self.curve if isinstance(self.curve, CurveSettings) else CurveSettings(fractions=self.curve)
