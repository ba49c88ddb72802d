"""Settings of a training run."""

import ast
import difflib
import functools
import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from recipe.files import RecipeError, read_lines
from recipe.settings.section import AUTO, Where, finite, from_mapping, indifferent, read, section, setting
from recipe.settings.workers import MOST_WORKERS

PARTS = ("encoder", "adaptor", "llm")
LOW_FRAME_RATE = "low_frame_rate"
FULL = "full"
AUDIO_TOKEN_MODES = (LOW_FRAME_RATE, FULL)
_Part = Literal["encoder", "adaptor", "llm"]
CTC = "ctc"  # the CTC branch, where learning rates are told apart
_Rated = Literal["encoder", "adaptor", "llm", "ctc"]
TENSORBOARD = "tensorboard"
_Tracker = Literal["tensorboard", "wandb", "swanlab", "mlflow", "trackio"]
_PACKAGES = {"mlflow": "mlflow-skinny", "swanlab": "'swanlab<0.8'"}  # of a tracker, where it is more than its name
_SWANLAB = (0, 8)  # from here on transformers' integration does not fit (0.7.0 works, 0.10.3 ends with an error)
_Rate = Annotated[float, Field(gt=0, le=1)]
# Arguments of the Trainer that the recipe sets, does in its own way, or has settings for.
OWN_ARGUMENTS = {
    "auto_find_batch_size", "average_tokens_across_devices", "bf16", "data_seed", "dataloader_drop_last",
    "dataloader_num_workers", "dataloader_persistent_workers", "dataloader_pin_memory", "dataloader_prefetch_factor",
    "ddp_find_unused_parameters", "disable_tqdm", "do_eval", "do_train", "eval_steps", "eval_strategy", "fp16",
    "gradient_accumulation_steps", "gradient_checkpointing", "ignore_data_skip", "label_names",
    "label_smoothing_factor", "learning_rate", "load_best_model_at_end", "logging_nan_inf_filter", "logging_steps",
    "logging_strategy", "lr_scheduler_type", "max_grad_norm", "max_steps", "num_train_epochs", "optim", "output_dir",
    "per_device_eval_batch_size", "per_device_train_batch_size", "push_to_hub", "remove_unused_columns", "report_to",
    "resume_from_checkpoint", "save_only_model", "save_steps", "save_strategy", "save_total_limit", "seed",
    "torch_compile", "train_sampling_strategy", "warmup_ratio", "warmup_steps", "weight_decay",
}  # fmt: skip


@section
class LoraSettings:
    """Low-rank adapters on the language model, merged into it at the end of training."""

    rank: int = setting(16, "Rank of the adapters.", ge=1)
    alpha: float = setting(32.0, "Scale of the adapters, divided by the rank.", gt=0)
    dropout: float = setting(0.05, "Dropout before the adapters.", ge=0, lt=1)
    targets: tuple[str, ...] = setting(
        ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
        "Linear layers of the language model that get one.",
        min_length=1,
    )


@section
class HotwordSettings:
    """Hotwords in the prompts of training, some of them said in the utterance; off by default."""

    share: float = setting(0.0, "Share of utterances whose prompt lists hotwords.", ge=0, le=1)
    max_words: int = setting(10, "Words in one prompt, at most; those that are not said are there to distract.", ge=1)
    file: str | None = setting(None, "File of words, one a line; null takes rare words out of the transcripts.")

    def words(self) -> list[str]:
        """The words of the file, each once; RecipeError names the line of what is no hotword."""
        found = {}
        for number, line in read_lines(self.file):
            word = line.strip()
            if word and (len(word) < 2 or re.search("[,，'\"]", word)):
                raise RecipeError(
                    f"{self.file}:{number}: {word!r} is no hotword: two characters or more, no comma, no quote"
                )
            found |= {word: None} if word else {}
        if not found:
            raise RecipeError(f"{self.file}: holds no words; name some, one a line")
        return list(found)


@section
class AugmentSettings:
    """Changes to training audio; all off by default."""

    speeds: tuple[Annotated[float, Field(ge=0.5, le=2)], ...] = setting(
        (1.0,), "Factors of speed, one of which is drawn for an utterance in each epoch.", min_length=1
    )
    noise: tuple[str, ...] = setting((), "Data directories (wav.scp) with noises.")
    noise_share: float = setting(0.5, "Share of utterances that get a noise.", ge=0, le=1)
    snr_db: tuple[float, ...] = setting(
        (5.0, 25.0), "Least and largest signal-to-noise ratio (dB).", min_length=2, max_length=2
    )
    reverb: tuple[str, ...] = setting((), "Data directories (wav.scp) with room impulse responses.")
    reverb_share: float = setting(0.5, "Share of utterances that are put into a room.", ge=0, le=1)
    frequency_masks: int = setting(0, "Masked bands of mel bins an utterance (SpecAugment).", ge=0)
    frequency_width: int = setting(20, "Width of such a band, at most (mel bins).", ge=0, le=80)
    time_masks: int = setting(0, "Masked stretches of time an utterance (SpecAugment).", ge=0)
    time_share: float = setting(0.1, "Length of such a stretch, at most, as a share of the utterance.", ge=0, le=1)
    hotwords: HotwordSettings = setting(
        HotwordSettings, "Hotwords in the prompts of training, so that the model learns to use them."
    )

    def __post_init__(self):
        if self.snr_db[0] > self.snr_db[1]:
            raise ValueError(f"snr_db is {list(self.snr_db)}, expected the least and then the largest")

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


@section
class TrainSettings:
    """What a run trains, how, and on how much at a time: all settings of `train.py --config`."""

    seed: int = setting(1, "Seed of every random choice.", ge=0, le=2**32 - 1)
    audio_tokens: Literal["auto", "low_frame_rate", "full"] = setting(
        AUTO, "Audio tokens that the language model is given; auto keeps the base model's setting."
    )
    freeze: Literal["auto"] | tuple[_Part, ...] = setting(
        (),
        "Parts of the model that are not trained; auto goes by the hours of speech, as the model's authors advise.",
    )
    lora: LoraSettings | None = setting(
        None,
        "Low-rank adapters on the language model instead of its own weights, merged into it at the end and kept beside "
        "the model; null is none.",
    )
    ctc_weight: float = setting(
        0.0,
        "Weight of an auxiliary CTC loss on the adaptor's frames, for models trained from nothing; 0 is none. The CTC "
        "branch that word times are made with is another matter: `ctc_head`.",
        ge=0,
    )
    ctc_head: bool = setting(
        False,
        "Train the model's CTC branch (`ctc/`, for word times) on the encoder's frames, or begin a small one where the "
        "model has none. The rest of the model is trained as without it.",
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = setting(
        None,
        "Share of the encoder's states and attention weights that training drops; null is the model's own (0.1 in the "
        "published one).",
    )
    epochs: float = setting(
        3.0, "Passes over the training data; fractions are allowed, and 0 writes the base model as it is.", ge=0
    )
    max_steps: int = setting(0, "Optimizer steps; 0 goes by epochs.", ge=0)
    learning_rate: float = setting(2e-5, "Peak learning rate of AdamW.", gt=0, le=1)
    learning_rates: dict[_Rated, _Rate] = setting(
        dict, "Peak learning rates of parts, instead of `learning_rate`; `ctc` is the CTC branch (a new one: 1e-3)."
    )
    scheduler: Literal[
        "cosine", "linear", "constant", "constant_with_warmup", "cosine_with_min_lr", "polynomial", "inverse_sqrt"
    ] = setting("cosine", "Learning rate schedule, by transformers' name.")
    warmup: float = setting(0.05, "Share of the steps with a rising learning rate; above 1, steps.", ge=0)
    weight_decay: float = setting(0.01, "AdamW's weight decay.", ge=0)
    max_grad_norm: float = setting(1.0, "Gradients are scaled down to this norm; 0 leaves them.", ge=0)
    batch_seconds: Literal["auto"] | Annotated[float, Field(gt=0)] = setting(
        AUTO,
        "Padded audio a batch and process (seconds); on a GPU lowered until the largest batch fits. auto is as much as "
        "fits on the GPU, up to 2,880 and 20 steps an epoch, and 120 on a CPU.",
    )
    shuffle: Literal["full", "chunks"] = setting(
        "full",
        "full mixes all utterances in each epoch; chunks mixes runs of some 100 neighbours, so that packed data are "
        "read in long pieces (docs/scale.md).",
    )
    accumulate: int = setting(1, "Batches an optimizer step.", ge=1)
    precision: Literal["auto", "bf16", "fp32"] = setting(
        AUTO, "Compute precision; weights are fp32 in any case. auto is bf16 on a GPU that has it."
    )
    evaluations: int = setting(5, "Evaluations, each with a checkpoint, over the run.", ge=1)
    decode_utterances: int = setting(100, "Validation utterances decoded at each evaluation; 0 decodes none.", ge=0)
    select: Literal["cer", "loss", "last"] = setting(
        "cer", "Which checkpoint becomes the model: that of the least CER, of the least loss, or the last."
    )
    average: int = setting(1, "Number of best checkpoints whose weights are averaged into the model.", ge=1)
    early_stopping: int = setting(0, "Evaluations without improvement after which training ends; 0 never does.", ge=0)
    max_nonfinite: float = setting(
        0.02,
        "Steps with gradients that are not finite are left out; more than this share is an error.",
        ge=0,
        le=1,
    )
    max_unreadable: float = setting(
        0.01,
        "Utterances whose audio turns out unreadable in training are left out and named in rejects.tsv; more than this "
        "share of their set (but one in any case) is an error, and with 0 each is.",
        ge=0,
        le=1,
    )
    checkpoint_minutes: float = setting(
        30.0,
        "Minutes of training after which a checkpoint is kept, where no evaluation kept one; 0 leaves it to them.",
        ge=0,
        indifferent=True,
    )
    log_every: int = setting(10, "Steps between two log lines.", ge=1, indifferent=True)
    report_to: tuple[_Tracker, ...] = setting(
        (TENSORBOARD,),
        "Trackers that are told what the log shows, under the names of the experiment and the run; each but "
        "tensorboard needs its package. [] is none.",
        indifferent=True,
    )
    workers: Literal["auto"] | Annotated[int, Field(ge=0, le=1024)] = setting(
        AUTO,
        "Processes that read audio, of each training process; 0 is a thread of it. auto is 0 on a CPU, and on GPUs "
        f"one a core that there is for each, {MOST_WORKERS} at most.",
        indifferent=True,
    )
    gradient_checkpointing: Literal["auto"] | bool = setting(
        AUTO, "Less memory for more time; auto does so on a GPU where the smallest batches do not fit otherwise."
    )
    compile: Literal["auto"] | bool = setting(
        AUTO,
        "Compile the layers with torch.compile, on a GPU (minutes at the start; needs a C compiler); auto does where "
        "there is one and the run is long enough to gain by it.",
    )
    cuda_graphs: bool = setting(
        False,
        "Pad batches to a few shapes and replay each shape's step as a CUDA graph, on one GPU: for batches so small "
        "that the GPU waits for the CPU. Not with a CTC loss.",
    )
    cache_frozen: bool = setting(
        False,
        "Compute what a frozen encoder (and adaptor) make of the audio once and keep it on disk; for runs without "
        "changes to the audio.",
    )
    trainer: dict[str, Annotated[Any, AfterValidator(finite)]] = setting(
        dict, "More arguments of transformers.TrainingArguments, such as fsdp, fsdp_config or deepspeed."
    )
    augment: AugmentSettings = setting(AugmentSettings, "Changes to training audio, drawn anew in each epoch.")

    @property
    def sharded(self) -> bool:
        """Whether processes divide the model, or what the optimizer keeps of it, among themselves."""
        return bool(self.trainer.keys() & {"fsdp", "deepspeed"})

    def contradiction(self) -> str | None:
        """What in these settings cannot be together. Not looked for where they are only what runs begin with."""
        if self.freeze != AUTO and set(self.freeze) == set(PARTS) and not self.lora:
            if not self.ctc_head:
                return "freeze names every part of the model, so nothing would be trained"
            if self.select != "last":
                return (
                    f"select is {self.select}, but with every part frozen the CTC branch alone is trained, and no "
                    "evaluation is better than another; set select: last"
                )
        if CTC in self.learning_rates and not self.ctc_head:
            return "learning_rates.ctc is for a CTC branch that is trained: set ctc_head: true, or take it out"
        if self.average > 1 and self.select == "last":
            return f"average is {self.average}, expected 1, or more with select: cer or loss"
        if self.select == "cer" and not self.decode_utterances:
            return "select: cer needs decode_utterances > 0 (or choose select: loss)"
        if self.cuda_graphs and (self.ctc_weight or self.ctc_head):
            return "cuda_graphs cannot record a CTC loss, which waits for the GPU: set cuda_graphs: false"
        if self.cache_frozen and self.freeze != AUTO and "encoder" not in self.freeze:
            return "cache_frozen needs a frozen encoder: add it to freeze, or set cache_frozen: false"
        if self.cache_frozen and self.augment.changes_features:
            return "cache_frozen keeps what was made of unchanged audio: turn off augment, but for hotwords"
        return self._wrong_trainer_argument() or self._wrong_hotwords()

    def _wrong_trainer_argument(self) -> str | None:
        if taken := sorted(OWN_ARGUMENTS & self.trainer.keys()):
            return f"trainer: the recipe sets {', '.join(taken)} itself; see docs/settings.md for its settings"
        known = known_trainer_arguments() if self.trainer else None
        if known and (unknown := sorted(self.trainer.keys() - known)):
            near = difflib.get_close_matches(unknown[0], known, 1)
            meant = f" (is {near[0]} meant?)" if near else ""
            return f"trainer: transformers.TrainingArguments has no {', '.join(unknown)}{meant}"
        options = self.trainer.get("lr_scheduler_kwargs") or {}
        least = not isinstance(options, Mapping) or {"min_lr", "min_lr_rate"} & options.keys()
        if self.scheduler == "cosine_with_min_lr" and not least:
            return (
                "scheduler: cosine_with_min_lr needs the least rate: trainer: {lr_scheduler_kwargs: {min_lr_rate: 0.1}}"
            )
        return None

    def _wrong_hotwords(self) -> str | None:
        """What is wrong in the file of hotwords, where it is there already (another rule may make it)."""
        hotwords = self.augment.hotwords
        if not hotwords.share or not hotwords.file or not Path(hotwords.file).is_file():
            return None
        try:
            hotwords.words()
        except RecipeError as error:
            return f"augment.hotwords.file: {error}"
        return None


@section
class RunSettings(TrainSettings):
    """A run as the workflow starts it: its training, how often, on which machines, and how often it sees which data."""

    seeds: int = setting(
        1,
        "Trainings of the run that differ in their seed alone (docs/seeds.md): `seed`, `seed` + 1 and so on. The first "
        "has the run's name, the others NAME-seed2 and so on, by their seed; tables give their mean and spread.",
        ge=1,
        le=100,
    )
    gpus: Literal["auto"] | Annotated[int, Field(ge=0)] = setting(
        AUTO, "GPUs a node, each with a training process; 0 trains on the CPU, auto is one where this machine has one."
    )
    nodes: int = setting(1, "Nodes of a SLURM job, each with `gpus`.", ge=1)
    weights: dict[str, Annotated[float, Field(ge=0)]] = setting(
        dict, "Weights of single training sets in a run, instead of those of data.train; 0 leaves a set out."
    )


def check_trackers(settings: TrainSettings) -> None:
    """RecipeError if the package of a tracker that is to be told is not installed. Nothing is imported."""
    for tracker in settings.report_to:
        wrong = "not installed" if importlib.util.find_spec(tracker) is None else _misfit(tracker)
        if wrong:
            raise RecipeError(
                f"report_to: the package of {tracker} is {wrong}; install it (.venv/bin/uv pip install --python "
                f".venv/bin/python {_PACKAGES.get(tracker, tracker)}), or take {tracker} out"
            )


def _misfit(tracker: str) -> str:
    """What keeps an installed tracker from working with transformers, if anything is known to."""
    if tracker != "swanlab":
        return ""
    version = importlib.metadata.version(tracker)
    return f"{version}, which transformers cannot use" if _numbers(version) >= _SWANLAB else ""


def _numbers(version: str) -> tuple[int, ...]:
    """The first two numbers of a version."""
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


@functools.cache
def known_trainer_arguments() -> frozenset[str]:
    """Names of the arguments of transformers.TrainingArguments, read off its source: to import it takes seconds, which
    the workflow would spend at every start. Empty where transformers is not installed."""
    package = importlib.util.find_spec("transformers")
    if package is None:
        return frozenset()
    source = Path(package.submodule_search_locations[0], "training_args.py").read_text(encoding="utf-8")
    [found] = [part for part in ast.parse(source).body if getattr(part, "name", None) == "TrainingArguments"]
    return frozenset(field.target.id for field in found.body if isinstance(field, ast.AnnAssign))


# Settings that change how fast a run goes and what it tells, not what it computes.
INDIFFERENT = indifferent(TrainSettings)


def whole(kind: type[TrainSettings], values: Mapping[str, Any], where: Where) -> TrainSettings:
    """The settings of a run, complete: each is checked, and that they go together."""
    settings = from_mapping(kind, values, where)
    if problem := settings.contradiction():
        # Its first word is the setting that it is about.
        path = re.match(r"[\w.]*", problem)[0].split(".")
        raise RecipeError(f"{where(path) if callable(where) else where}: {problem}")
    return settings


def load(path: str | os.PathLike) -> TrainSettings:
    """Read the settings of a run from its YAML file."""
    return whole(TrainSettings, read(path), str(path))
