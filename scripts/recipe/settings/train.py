"""Settings of a training run: one dataclass that checks itself, read from the run's YAML file."""

import dataclasses
import os
from dataclasses import dataclass, field
from typing import Any, get_args

import yaml

from recipe.files import RecipeError, exponents_to_floats

PARTS = ("encoder", "adaptor", "llm")
AUTO = "auto"
LOW_FRAME_RATE = "low_frame_rate"
FULL = "full"
AUDIO_TOKEN_MODES = (LOW_FRAME_RATE, FULL)
# Settings that change how fast a run goes and what it tells, not what it computes.
INDIFFERENT = ("workers", "log_every")


@dataclass(frozen=True)
class LoraSettings:
    """Low-rank adapters on the language model, merged into it at the end of training."""

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.05
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

    def __post_init__(self):
        if self.rank < 1 or self.alpha <= 0 or not 0 <= self.dropout < 1 or not self.targets:
            raise RecipeError(f"lora: expected rank >= 1, alpha > 0, dropout in 0..1 and targets, found {self}")


@dataclass(frozen=True)
class HotwordSettings:
    """Hotwords in the prompts of training, some of them said in the utterance; off by default."""

    share: float = 0.0  # of utterances whose prompt lists some
    max_words: int = 10  # in one prompt
    file: str | None = None  # words, one a line; None: taken out of the transcripts

    def __post_init__(self):
        if not 0 <= self.share <= 1 or self.max_words < 1:
            raise RecipeError(f"hotwords: expected a share in 0..1 and max_words >= 1, found {self}")


@dataclass(frozen=True)
class AugmentSettings:
    """Changes to training audio; all off by default."""

    speeds: tuple[float, ...] = (1.0,)  # drawn anew in each epoch
    noise: tuple[str, ...] = ()  # data directories with noises
    noise_share: float = 0.5  # of utterances that get one
    snr_db: tuple[float, ...] = (5.0, 25.0)
    reverb: tuple[str, ...] = ()  # data directories with room impulse responses
    reverb_share: float = 0.5
    frequency_masks: int = 0
    frequency_width: int = 20  # mel bins, at most
    time_masks: int = 0
    time_share: float = 0.1  # of the utterance, at most, per mask
    hotwords: HotwordSettings = HotwordSettings()

    def __post_init__(self):
        if not self.speeds or not all(0.5 <= speed <= 2 for speed in self.speeds):
            raise RecipeError(f"augment: speeds are {list(self.speeds)}, expected factors from 0.5 to 2")
        if len(self.snr_db) != 2 or self.snr_db[0] > self.snr_db[1]:
            raise RecipeError(f"augment: snr_db is {list(self.snr_db)}, expected the least and the largest")
        if not 0 <= self.frequency_width <= 80 or not 0 <= self.time_share <= 1:
            raise RecipeError("augment: frequency_width is up to 80 bins, time_share up to 1")

    @property
    def files(self) -> list[str]:
        """Files that augmentation reads."""
        tables = [f"{folder}/wav.scp" for folder in (*self.noise, *self.reverb)]
        return tables + ([self.hotwords.file] if self.hotwords.file else [])

    @property
    def changes_features(self) -> bool:
        """Whether an utterance's features differ from epoch to epoch."""
        changes = self.noise or self.reverb or self.frequency_masks or self.time_masks
        return self.speeds != (1.0,) or bool(changes)


@dataclass(frozen=True)
class TrainSettings:
    """All settings of `train.py`; units and defaults are those that config.yaml documents."""

    seed: int = 1
    audio_tokens: str = "auto"  # auto (the model's own), low_frame_rate or full
    freeze: tuple[str, ...] = ()  # parts out of training: encoder, adaptor, llm; or auto: by hours of speech
    lora: LoraSettings | None = None  # adapters instead of the language model's own weights
    ctc_weight: float = 0.0  # of an auxiliary CTC loss on the adaptor's frames; for models from nothing
    dropout: float | None = None  # of the encoder; None: the model's own
    epochs: float = 3.0
    max_steps: int = 0  # optimizer steps; 0: by epochs
    learning_rate: float = 2e-5
    learning_rates: dict[str, float] = field(default_factory=dict)  # of single parts, instead of learning_rate
    scheduler: str = "cosine"
    warmup: float = 0.05  # share of the steps, or steps if over 1
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    batch_seconds: float | str = 120.0  # padded audio seconds a batch and process, or auto: as many as fit on the GPU
    accumulate: int = 1  # batches a step
    precision: str = "auto"  # auto (bf16 on a GPU that has it, else fp32), bf16 or fp32
    evaluations: int = 5  # evaluations and checkpoints over the run
    decode_utterances: int = 100  # validation utterances decoded at each evaluation; 0: none
    select: str = "cer"  # the checkpoint to keep: least cer, least loss, or last
    average: int = 1  # number of best checkpoints whose weights are averaged
    early_stopping: int = 0  # evaluations without improvement after which training ends; 0: never
    max_nonfinite: float = 0.02  # share of steps with a loss or gradient that is not finite, above which it is an error
    log_every: int = 10  # steps
    workers: int = 2  # processes that read audio; 0: a thread of the training process
    gradient_checkpointing: bool = False
    compile: bool = False  # torch.compile the layers
    cache_frozen: bool = False  # compute what frozen parts make of the audio once, and keep it on disk
    trainer: dict[str, Any] = field(default_factory=dict)  # more of transformers.TrainingArguments, such as fsdp
    augment: AugmentSettings = AugmentSettings()

    def __post_init__(self):
        _one_of("audio_tokens", self.audio_tokens, (AUTO, *AUDIO_TOKEN_MODES))
        _one_of("precision", self.precision, (AUTO, "bf16", "fp32"))
        _one_of("select", self.select, ("cer", "loss", "last"))
        for part in self.freeze:
            _one_of("freeze", part, PARTS if len(self.freeze) > 1 else (*PARTS, AUTO))
        if set(self.freeze) == set(PARTS) and not self.lora:
            raise RecipeError("freeze names every part of the model, so nothing would be trained")
        for name in ("learning_rate", "batch_seconds", "accumulate", "evaluations", "log_every"):
            if getattr(self, name) != AUTO and getattr(self, name) <= 0:
                raise RecipeError(f"{name} is {getattr(self, name)}, expected more than 0")
        for name in ("ctc_weight", "epochs", "max_steps"):
            if getattr(self, name) < 0:
                raise RecipeError(f"{name} is {getattr(self, name)}, expected 0 or more")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise RecipeError(f"dropout is {self.dropout}, expected a share from 0 to less than 1")
        for part in self.learning_rates:
            _one_of("learning_rates", part, PARTS)
        if self.average < 1 or (self.average > 1 and self.select == "last"):
            raise RecipeError(f"average is {self.average}: expected 1, or more with select: cer or loss")
        if self.select == "cer" and not self.decode_utterances:
            raise RecipeError("select: cer needs decode_utterances > 0 (or choose select: loss)")
        if self.cache_frozen and self.freeze != (AUTO,) and "encoder" not in self.freeze:
            raise RecipeError("cache_frozen needs a frozen encoder: add it to freeze, or set cache_frozen: false")
        if self.cache_frozen and self.augment.changes_features:
            raise RecipeError("cache_frozen keeps what was made of unchanged audio: turn off augment, but for hotwords")


_NESTED = {"lora": LoraSettings, "augment": AugmentSettings, "hotwords": HotwordSettings}


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise RecipeError(f"{name} is {value!r}, expected one of {', '.join(allowed)}")


def from_mapping(values: dict[str, Any], where: str, kind: type = TrainSettings) -> Any:
    """Make settings of a mapping; RecipeError names `where`, the key and what it should be."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    checked = {}
    for key, value in values.items():
        if key not in fields:
            raise RecipeError(f"{where}: unknown setting {key!r}; known: {', '.join(fields)}")
        checked[key] = _checked(key, value, fields[key], where)
    try:
        return kind(**checked)
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from None


def _checked(key: str, value: Any, setting: dataclasses.Field, where: str) -> Any:
    """`value` as the type of the setting; RecipeError if it is another."""
    default = setting.default
    if value is None and default is None:
        return None
    if key in _NESTED:
        if not isinstance(value, dict):
            raise RecipeError(f"{where}: {key} is {value!r}, expected settings of its own")
        return from_mapping(value, f"{where}: {key}", _NESTED[key])
    if key == "learning_rates":
        if not isinstance(value, dict) or not all(isinstance(rate, float) and rate > 0 for rate in value.values()):
            raise RecipeError(f"{where}: learning_rates is {value!r}, expected a rate by part")
        return value
    if key == "trainer":
        if not isinstance(value, dict):
            raise RecipeError(f"{where}: trainer is {value!r}, expected settings of transformers.TrainingArguments")
        return value
    if key == "freeze" and value == AUTO:
        return (AUTO,)
    if key == "batch_seconds" and value == AUTO:
        return value
    if isinstance(default, tuple):
        kind = float if default and isinstance(default[0], float) else str
        if not isinstance(value, list) or not all(isinstance(entry, kind) for entry in value):
            raise RecipeError(f"{where}: {key} is {value!r}, expected a list of {kind.__name__}")
        return tuple(value)
    kind = get_args(setting.type)[0] if default is None else type(default)  # of `float | None`, float
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise RecipeError(f"{where}: {key} is {value!r}, expected {kind.__name__}")
    return value


def load(path: str | os.PathLike) -> TrainSettings:
    """Read the settings of a run from its YAML file."""
    try:
        with open(path, encoding="utf-8") as file:
            values = exponents_to_floats(yaml.safe_load(file) or {})
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: not valid YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{path}: expected settings as `name: value`, found {type(values).__name__}")
    return from_mapping(values, str(path))
