"""Training: from manifests and a base model to a model directory that is proven to be the trained one.

The state (checkpoints, fingerprint) lives in a folder of its own. A state made with other data, settings or base model
is refused; a half-written checkpoint is passed over; a finished run removes its state.
"""

import contextlib
import dataclasses
import logging
import math
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import filelock
import torch
import transformers

import recipe
from recipe.audio.fetch import DEFAULT, Elsewhere
from recipe.data import manifest
from recipe.data.manifest import Utterance
from recipe.data.stats import advise
from recipe.files import RecipeError, read_json, sha256, write_json, write_lines
from recipe.model import directory as model_dir
from recipe.model.batches import batch_by_size, padding_share
from recipe.model.features import FRAME_SECONDS, FrontEnd, Item, collate
from recipe.model.generate import Limits, generate
from recipe.model.network import Recognizer, audio_token_count
from recipe.model.network import load as load_model
from recipe.settings.train import AUTO, TrainSettings
from recipe.text.prompt import IGNORED
from recipe.train import batching, checkpoints, compiled, frozen, preflight
from recipe.train.augment import Augment
from recipe.train.dataset import Utterances, most_frames
from recipe.train.frozen import ADAPTOR_OUTPUTS, ENCODER_OUTPUTS, FrozenOutputs
from recipe.train.hotwords import Hotwords
from recipe.train.trainer import AsrTrainer, Bookkeeping, Collate, without_target
from recipe.workflow import provenance

logger = logging.getLogger(__name__)

HISTORY = "history.json"
ADAPTER = "adapter"  # LoRA adapters beside the merged model
REJECTS = "rejects.tsv"  # beside the state: utterances that are too long to train on
CACHE_SECONDS = 240  # of padded audio, a batch while outputs of frozen parts are computed
# Arguments of the Trainer that the recipe sets later, does in its own way, or has settings for.
OWN_ARGUMENTS = {
    "data_seed", "do_eval", "do_train", "eval_steps", "fp16", "gradient_checkpointing", "ignore_data_skip",
    "load_best_model_at_end", "logging_strategy", "max_steps", "num_train_epochs", "per_device_eval_batch_size",
    "per_device_train_batch_size", "push_to_hub", "resume_from_checkpoint", "save_only_model", "save_steps",
    "save_total_limit", "torch_compile", "warmup_ratio", "warmup_steps",
}  # fmt: skip
ENCODER_FRAMES = 2048  # stacked frames that the encoder takes, 122.9 s


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a run is trained on; `weights` is how often each training manifest is seen in an epoch."""

    train: Sequence[str | os.PathLike]
    valid: Sequence[str | os.PathLike]
    weights: Sequence[float] = ()
    elsewhere: Elsewhere = DEFAULT

    def hashes(self) -> dict[str, str]:
        """SHA-256 of each manifest, and the weights, by name."""
        found = {os.fspath(path): sha256(path) for path in [*self.train, *self.valid]}
        weights = {
            os.fspath(path): weight for path, weight in zip(self.train, self.weights, strict=False) if weight != 1
        }
        return found | {f"weight of {path}": f"{weight:g}" for path, weight in weights.items()}

    def describe(self) -> tuple[list[dict], str]:
        """Facts of each manifest, and the commonest prompt of the training ones."""
        weights = list(self.weights) or [1.0] * len(self.train)
        training = [provenance.describe_set("train", path, w) for path, w in zip(self.train, weights, strict=True)]
        validation = [provenance.describe_set("valid", path, 1.0) for path in self.valid]
        prompts = sum((found for _, found in training), Counter())
        return [facts for facts, _ in training + validation], prompts.most_common(1)[0][0]


def train(
    recognizer: Recognizer,
    settings: TrainSettings,
    inputs: Inputs,
    output_dir: str | os.PathLike,
    state_dir: str | os.PathLike,
) -> dict:
    """Train and write the chosen checkpoint as a model directory; returns the facts that recipe.json holds.

    Called again after an interruption it goes on from the last whole checkpoint in `state_dir`. Under torchrun every
    process calls it; the first one writes.
    """
    output_dir, state_dir = Path(output_dir), Path(state_dir)
    state_dir.mkdir(parents=True, exist_ok=True)
    if _rank() > 0:
        return _run(recognizer, settings, inputs, output_dir, state_dir)
    with _locked(state_dir):
        checkpoints.check_fingerprint(state_dir, checkpoints.fingerprint(settings, inputs.hashes(), recognizer.source))
        return _run(recognizer, settings, inputs, output_dir, state_dir)


@contextlib.contextmanager
def _locked(state_dir: Path):
    """Hold the state's lock: after a kill of the workflow its training may still be at work."""
    lock = filelock.FileLock(state_dir / "lock")
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise RecipeError(f"{state_dir}: another training process is at work here; wait for it or stop it") from None
    with lock:
        yield


def _rank() -> int:
    return int(os.environ.get("RANK", 0))


def _processes() -> int:
    return int(os.environ.get("WORLD_SIZE", 1))


def _on_gpu(settings: TrainSettings) -> bool:
    """Whether training runs on a GPU. RecipeError if there are fewer than processes."""
    if settings.trainer.get("use_cpu", False):
        return False
    processes, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", 1)), torch.cuda.device_count()
    if processes > max(1, gpus):
        raise RecipeError(f"{processes} training processes on this machine, but it has {gpus} GPUs; see train.gpus")
    return gpus > 0


def _run(recognizer: Recognizer, settings: TrainSettings, inputs: Inputs, output_dir: Path, state_dir: Path) -> dict:
    transformers.set_seed(settings.seed)
    base = model_dir.origin(recognizer.source)
    train_set, valid_set = _read_sets(recognizer, settings, inputs, state_dir.with_name(REJECTS))
    settings = _with_advised_freeze(settings, train_set)
    _set_up_model(recognizer, settings)
    precision = precision_of(settings)
    # Made early: on several processes this connects them.
    arguments = trainer_arguments(settings, state_dir, precision)
    if settings.cache_frozen:
        train_set.frozen = _frozen_outputs(recognizer, settings, train_set, precision, state_dir)
    budget = preflight.find_budget(recognizer, settings, train_set, precision, state_dir)
    batches = batching.TrainingBatches(train_set.plan, budget, settings.seed, _rank(), _processes())
    steps = settings.max_steps or math.ceil(batches.batches_in(settings.epochs) / settings.accumulate)
    batches.set_length(steps * settings.accumulate)
    arguments = _with_steps(arguments, settings, steps)
    _describe(recognizer, settings, train_set, valid_set, budget, steps, precision)
    _look_at_disk(recognizer, settings, state_dir)
    trainer = AsrTrainer(
        recognizer,
        batches,
        settings,
        args=arguments,
        train_dataset=train_set,
        eval_dataset=valid_set,
        data_collator=Collate(recognizer.tokenizer.pad_token_id),
        callbacks=[Bookkeeping(settings, steps, state_dir.with_name("tensorboard"))],
    )
    trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
    checkpoint = checkpoints.last(state_dir)
    if checkpoint:
        logger.info("going on from %s", checkpoint)
    started = time.monotonic()
    if steps:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    facts = _facts(base, settings, trainer.state, inputs, precision, time.monotonic() - started)
    if trainer.is_world_process_zero():
        recognizer = trainer.whole or recognizer
        if steps:
            weights = checkpoints.averaged_weights(state_dir, facts["selected_steps"])
            recognizer.model.load_state_dict(weights, strict=False)
        _write_model(recognizer, valid_set, facts, trainer.state.log_history, output_dir)
        checkpoints.finish(state_dir)
    return facts


def _read_sets(
    recognizer: Recognizer, settings: TrainSettings, inputs: Inputs, rejects_file: Path
) -> tuple[Utterances, Utterances]:
    """Training and validation set, without what is too long for them: that is listed in `rejects_file`."""
    weights = list(inputs.weights) or [1.0] * len(inputs.train)
    if len(weights) != len(inputs.train):
        raise RecipeError(f"{len(weights)} weights for {len(inputs.train)} training manifests")
    augment = Augment(settings.augment, settings.seed, inputs.elsewhere)
    limit = min(ENCODER_FRAMES, preflight.frames_of(settings) or ENCODER_FRAMES)
    rejects: list[str] = []
    utterances, repeats = [], []
    for path, weight in zip(inputs.train, weights, strict=True):
        found = _fitting(path, limit, augment.slowest, rejects)
        utterances += found
        repeats += [weight] * len(found)
    valid = [utterance for path in inputs.valid for utterance in _fitting(path, ENCODER_FRAMES, 1.0, rejects)]
    if _rank() == 0:
        write_lines(rejects_file, ["key\tstage\treason\tdetail", *rejects])
    if rejects:
        logger.warning(
            "%d utterances are too long and left out, listed in %s; raise batch_seconds (up to %.0f), cut them into "
            "segments, or lower data.max_seconds", len(rejects), rejects_file, ENCODER_FRAMES * FRAME_SECONDS,
        )  # fmt: skip
    for found, paths in ((utterances, inputs.train), (valid, inputs.valid)):
        if not found:
            raise RecipeError(f"{', '.join(map(str, paths))}: no utterances{' that are short enough' * bool(rejects)}")
    front_end, elsewhere, listed = FrontEnd(recognizer), inputs.elsewhere, settings.augment.hotwords
    hotwords = Hotwords(listed, settings.seed, (u.text for u in utterances)) if listed.share else None
    train_set = Utterances(utterances, front_end, augment, hotwords, repeats, settings.seed, elsewhere)
    return train_set, Utterances(valid, front_end, elsewhere=elsewhere)


def _fitting(path: str | os.PathLike, limit: int, slowest: float, rejects: list[str]) -> list[Utterance]:
    """Utterances of a manifest with at most `limit` stacked frames at the slowest speed; others become lines of
    `rejects` (key, stage, reason, detail)."""
    kept = []
    for utterance in manifest.read(path):
        frames = most_frames(utterance, slowest)
        if frames <= limit:
            kept.append(utterance)
        else:
            seconds = f"{frames * FRAME_SECONDS:.1f} s, at most {limit * FRAME_SECONDS:.1f} s fit"
            rejects.append(f"{utterance.key}\ttrain\taudio-too-long\t{seconds}")
    return kept


def _frozen_outputs(
    recognizer: Recognizer, settings: TrainSettings, train_set: Utterances, precision: str, state_dir: Path
) -> FrozenOutputs:
    """What the frozen encoder, and the adaptor if it is frozen too, make of the training audio."""
    model, folder = recognizer.model.eval(), state_dir / "frozen"
    name = ADAPTOR_OUTPUTS if "adaptor" in settings.freeze else ENCODER_OUTPUTS
    width = (model.config.adaptor_config if name == ADAPTOR_OUTPUTS else model.config.audio_config).hidden_size
    collator = Collate(recognizer.tokenizer.pad_token_id)

    def used(frames: int) -> int:
        """Rows that training needs: all for the adaptor and a CTC loss, otherwise those that become audio tokens."""
        whole = name == ENCODER_OUTPUTS or settings.ctc_weight
        return frames if whole else audio_token_count(frames, recognizer.audio_tokens)

    @compiled.eager()
    def compute(items: list[Item]) -> list[tuple[torch.Tensor, int]]:
        batch = {key: value.to(model.device) for key, value in collator(items).items()}
        mask = batch["input_features_mask"]
        with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16, enabled=precision == "bf16"):
            outputs = model.encode(batch["input_features"], mask)
            outputs = model.adapt(outputs, mask) if name == ADAPTOR_OUTPUTS else outputs
        frames = mask.sum(1).tolist()
        return [(row[: used(count)], count) for row, count in zip(outputs, frames, strict=True)]

    mine = sorted(range(_rank(), len(train_set), _processes()), key=train_set.frames.__getitem__)
    batches = batch_by_size(mine, train_set.frames, round(CACHE_SECONDS / FRAME_SECONDS))
    loader = torch.utils.data.DataLoader(
        train_set,
        batch_sampler=[[(0, index) for index in batch] for batch in batches],
        collate_fn=list,
        num_workers=settings.workers,
    )
    rows = sum(used(train_set.frames[index]) for index in mine)
    facts = read_json(state_dir / checkpoints.FINGERPRINT)
    frozen.write(folder, _rank(), facts, batches, map(compute, loader), rows, width)
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
    return FrozenOutputs(folder, _processes(), name)


def _with_advised_freeze(settings: TrainSettings, train_set: Utterances) -> TrainSettings:
    """`freeze: auto` as the parts that the published advice leaves alone for so many hours."""
    if settings.freeze != (AUTO,):
        return settings
    advice = advise(sum(utterance.duration for utterance in train_set.utterances) / 3600)
    logger.info("freeze: auto is %s (%s)", advice["freeze"], advice["why"])
    return dataclasses.replace(settings, freeze=tuple(advice["freeze"]))


def _set_up_model(recognizer: Recognizer, settings: TrainSettings) -> None:
    """Adapters, frozen parts and losses as the settings say."""
    model = recognizer.model
    if settings.lora:
        model.add_adapters(settings.lora, settings.seed)
    model.freeze(set(settings.freeze) | ({"llm"} if settings.lora else set()))
    if settings.dropout is not None:
        model.set_dropout(settings.dropout)
    model.ctc_weight = settings.ctc_weight
    model.ctc_blank = recognizer.tokenizer.pad_token_id
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable()
    if _on_gpu(settings):
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
        model.to(device)
    if settings.compile:
        compiled.compile_layers(model)


def precision_of(settings: TrainSettings) -> str:
    """fp32 or bf16 for "auto": bf16 compute (over fp32 weights) on a GPU that has it."""
    if settings.precision != AUTO:
        return settings.precision
    return "bf16" if _on_gpu(settings) and torch.cuda.is_bf16_supported() else "fp32"


def trainer_arguments(settings: TrainSettings, state_dir: Path, precision: str) -> transformers.TrainingArguments:
    """The Trainer's arguments: the recipe's, and what `trainer` adds to them."""
    own = {
        "output_dir": str(state_dir),
        "gradient_accumulation_steps": settings.accumulate,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.scheduler,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "optim": "adamw_torch_fused",
        "seed": settings.seed,
        "bf16": precision == "bf16",
        "logging_steps": settings.log_every,
        "logging_nan_inf_filter": False,
        "disable_tqdm": not sys.stderr.isatty(),
        "eval_strategy": "steps",
        "save_strategy": "steps",
        "ddp_find_unused_parameters": False,
        "remove_unused_columns": False,
        "label_names": ["labels"],
        "report_to": [],
    }
    if taken := sorted((own.keys() | OWN_ARGUMENTS) & settings.trainer.keys()):
        raise RecipeError(f"trainer: the recipe sets {', '.join(taken)} itself; see docs/settings.md for its settings")
    known = {field.name for field in dataclasses.fields(transformers.TrainingArguments)}
    if unknown := sorted(settings.trainer.keys() - known):
        raise RecipeError(f"trainer: transformers.TrainingArguments has no {', '.join(unknown)}")
    try:
        return transformers.TrainingArguments(**own, **{"use_cpu": not _on_gpu(settings)} | settings.trainer)
    except (ImportError, ValueError, TypeError) as error:
        if not settings.trainer:
            raise
        raise RecipeError(f"trainer: {error}") from None


def _with_steps(
    arguments: transformers.TrainingArguments, settings: TrainSettings, steps: int
) -> transformers.TrainingArguments:
    """What follows from the number of steps, which is known only after the batches are cut."""
    arguments.max_steps = max(1, steps)
    arguments.warmup_steps = settings.warmup if settings.warmup > 1 else math.ceil(settings.warmup * steps)
    arguments.eval_steps = arguments.save_steps = max(1, math.ceil(steps / settings.evaluations))
    return arguments


def _describe(recognizer, settings, train_set, valid_set, budget: int, steps: int, precision: str) -> None:
    model = recognizer.model
    _, frames = train_set.plan(0)
    plan = batching.epoch_batches(frames, budget, settings.seed, 0)
    logger.info(
        "training on %d utterances (%.2f h), validating on %d; %d batches an epoch, %d steps; padding %.1f %%",
        len(train_set), sum(train_set.frames) * FRAME_SECONDS / 3600, len(valid_set), len(plan), steps,
        100 * padding_share(plan, frames),
    )  # fmt: skip
    logger.info(
        "%.2f of %.2f M parameters are trained (%s), %s, on %s",
        model.num_parameters(only_trainable=True) / 1e6, model.num_parameters() / 1e6,
        "frozen: " + ", ".join(settings.freeze) if settings.freeze else "nothing frozen",
        precision, "GPU" if _on_gpu(settings) else "CPU",
    )  # fmt: skip


def _look_at_disk(recognizer: Recognizer, settings: TrainSettings, state_dir: Path) -> None:
    """Say now what would end the training in hours."""
    # Weights and AdamW's two moments in 32 bits, of the chosen steps, the last one, and the one being written.
    size = 12 * recognizer.model.num_parameters(only_trainable=True) * (settings.average + 2)
    there = sum(file.stat().st_size for file in state_dir.glob("checkpoint-*/*"))
    free = shutil.disk_usage(state_dir).free
    if size > free + there:
        logger.warning(
            "%s: checkpoints may take up to %.1f GB, and %.1f GB are free", state_dir, size / 1e9, (free + there) / 1e9
        )


def _facts(base: dict, settings: TrainSettings, state, inputs: Inputs, precision: str, seconds: float) -> dict:
    chosen = checkpoints.ranking(state.log_history, settings.select)[: settings.average]
    evaluated = {entry["step"]: entry for entry in state.log_history if "eval_loss" in entry}
    sets, prompt = inputs.describe()
    return {
        "base": base,
        "settings": dataclasses.asdict(settings),
        "data": inputs.hashes(),
        "sets": sets,
        "prompt": prompt,
        "precision": precision,
        "steps": state.global_step,
        "selected_steps": chosen,
        "selected_by": settings.select,
        "validation": [
            {name.removeprefix("eval_"): value for name, value in evaluated[step].items()} for step in chosen
        ],
        "seconds": round(seconds, 1),
        "versions": {
            "recipe": recipe.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }


def _write_model(recognizer: Recognizer, valid_set: Utterances, facts: dict, history: list, output_dir: Path) -> None:
    """Write the model beside its place, prove that it can be loaded and says the same, and move it there whole."""
    temporary = output_dir.with_name(f".{output_dir.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    sample = [without_target(valid_set[0, i]) for i in range(min(8, len(valid_set)))]
    expected = _hypotheses(recognizer, sample)  # by the adapters, where there are some, before they are merged
    if facts["settings"]["lora"]:
        recognizer.model.merge_adapters(temporary / ADAPTER)
    recognizer.save(temporary, facts)
    write_json(temporary / HISTORY, history)
    _prove(temporary, recognizer.model.device, sample, expected)
    output_dir.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(output_dir / ADAPTER, ignore_errors=True)
    for file in sorted(temporary.iterdir()):
        os.replace(file, output_dir / file.name)
    temporary.rmdir()
    logger.info("model of step %s written to %s", ", ".join(map(str, facts["selected_steps"])), output_dir)


@compiled.eager()
def _hypotheses(recognizer: Recognizer, items: Sequence[Item]) -> list[list[int]]:
    recognizer.model.eval()
    return generate(recognizer, items, [Limits().tokens(len(item.features) * FRAME_SECONDS) for item in items])


def _prove(directory: Path, device: torch.device, items: Sequence[Item], expected: Sequence[list[int]]) -> None:
    """Load a written model afresh: it must give the hypotheses `expected` that the trained one gave in memory."""
    afresh = load_model(directory, device=device)
    found = _hypotheses(afresh, items)
    differing = [
        item.key
        for item, own, tokens in zip(items, expected, found, strict=True)
        if own != tokens and not _as_likely(afresh, item, own)
    ]
    if differing:
        raise RuntimeError(f"{directory}: loaded afresh, the model gives other text for {', '.join(differing)}")


def _as_likely(recognizer: Recognizer, item: Item, tokens: list[int], tolerance: float = 1e-3) -> bool:
    """Whether `tokens` are a hypothesis of the model too: each of them the most likely one, but for rounding. Merging
    adapters changes the order of sums, and where two tokens were all but equally likely the other one can win."""
    context = item.example.input_ids
    example = dataclasses.replace(item.example, input_ids=context + tokens, labels=[IGNORED] * len(context) + tokens)
    batch = collate([dataclasses.replace(item, example=example)], recognizer.tokenizer.pad_token_id)
    device = recognizer.model.device
    with torch.inference_mode():
        logits = recognizer.model(**{name: tensor.to(device) for name, tensor in batch.items()}).logits
    chosen = logits.gather(1, torch.tensor(tokens, device=device).unsqueeze(1))
    return bool((logits.max(1, keepdim=True).values - chosen < tolerance).all())
