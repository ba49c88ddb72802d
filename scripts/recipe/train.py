"""Training: HF Trainer over budgeted batches, evaluated by decoding, resumed exactly, ending in a model directory.

The state (checkpoints, history, fingerprint) lives in a folder of its own. A state made with other data, settings or
base model is refused; a half-written checkpoint is passed over; a finished run removes its checkpoints.
"""

import dataclasses
import logging
import math
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import filelock
import torch
import transformers

import recipe
from recipe import audio, batching, checkpoints, manifest
from recipe.audio import AudioError
from recipe.decode import Limits, generate
from recipe.features import FrontEnd, Item, collate
from recipe.files import RecipeError, sha256, write_json
from recipe.model import Recognizer
from recipe.model import load as load_model
from recipe.prompt import IGNORED
from recipe.settings import TrainSettings

logger = logging.getLogger(__name__)

HISTORY = "history.json"
ADAPTER = "adapter"  # LoRA adapters beside the merged model


class Utterances(torch.utils.data.Dataset):
    """Items of a manifest by (epoch, index). Small corpora are kept in memory once read."""

    CACHE_FRAMES = 200_000  # stacked frames, 2.2 kB each

    def __init__(self, utterances: Sequence[manifest.Utterance], front_end: FrontEnd):
        self._utterances = utterances
        self._front_end = front_end
        self.frames = [max(1, (u.speech_length + 5) // 6) for u in utterances]
        self._cache: dict[int, Item] | None = {} if sum(self.frames) <= self.CACHE_FRAMES else None

    def __len__(self) -> int:
        return len(self._utterances)

    def __getitem__(self, position: tuple[int, int]) -> Item:
        _, index = position
        if self._cache is not None and index in self._cache:
            return self._cache[index]
        utterance = self._utterances[index]
        try:
            waveform = audio.read(utterance.source, start=utterance.start, end=utterance.end)
        except AudioError as error:
            # The data stage checked this file: if it is gone now, going on would train on other data than was said.
            raise RecipeError(f"utterance {utterance.key}: {error}; run the data stage again") from None
        item = self._front_end.item(utterance.key, waveform, utterance.prompt, utterance.text, utterance.after)
        if self._cache is not None:
            self._cache[index] = item
        return item


class _Collate:
    """Items to a training batch (a class, so that worker processes can receive it)."""

    def __init__(self, pad_id: int):
        self._pad_id = pad_id

    def __call__(self, items: list[Item]) -> dict[str, torch.Tensor]:
        return collate(items, self._pad_id)


class AsrTrainer(transformers.Trainer):
    """The Trainer with our batches in and with evaluation by token-weighted loss and by decoding."""

    def __init__(self, recognizer: Recognizer, batches: batching.TrainingBatches, settings: TrainSettings, **kwargs):
        self._recognizer = recognizer
        self._batches = batches
        self._settings = settings
        super().__init__(model=recognizer.model, **kwargs)

    def get_train_dataloader(self) -> torch.utils.data.DataLoader:
        workers = self._settings.workers
        return torch.utils.data.DataLoader(
            self.train_dataset,
            batch_sampler=self._batches,
            collate_fn=self.data_collator,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def log(self, logs: dict[str, float], *args, **kwargs) -> None:
        """Log with the epoch as our batches count it: to the Trainer a whole run is one epoch."""
        self.state.epoch = round(
            self._batches.epoch_at(self.state.global_step * self.args.gradient_accumulation_steps), 4
        )
        super().log(logs, *args, **kwargs)

    def evaluate(self, *args, **kwargs) -> dict[str, float]:
        """Loss per target token over the whole validation set, and CER and WER of its decoded sample."""
        started = time.monotonic()
        model, training = self.model, self.model.training
        model.eval()
        loss, targets = 0.0, 0
        with torch.inference_mode(), self.compute_loss_context_manager():
            for batch in self._validation_batches(self.eval_dataset):
                inputs = self._prepare_inputs(self.data_collator(batch))
                count = int((inputs["labels"] != IGNORED).sum())
                loss += float(model(**inputs).loss) * count
                targets += count
        metrics = {"eval_loss": loss / max(1, targets)}
        if self._settings.decode_utterances:
            metrics |= self._decode_sample()
        metrics["eval_seconds"] = round(time.monotonic() - started, 2)
        model.train(training)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _validation_batches(self, dataset: Utterances, indices: Sequence[int] | None = None):
        indices = sorted(indices or range(len(dataset)), key=lambda i: dataset.frames[i])
        budget = int(self._settings.batch_seconds * 1000 / 60)
        for batch in batching.cut(indices, dataset.frames, budget):
            yield [dataset[0, i] for i in batch]

    def _decode_sample(self) -> dict[str, float]:
        """CER over characters without spaces, and WER over white-space words, of texts as written (no normalization:
        the scoring stages do that for the final numbers)."""
        dataset = self.eval_dataset
        wanted = self._settings.decode_utterances
        step = max(1, len(dataset) // wanted)
        sample = list(range(0, len(dataset), step))[:wanted]
        limits = Limits()
        errors = {"cer": [0, 0], "wer": [0, 0]}
        truncated = 0
        prompts = self._recognizer.prompts
        for batch in self._validation_batches(dataset, sample):
            texts = [self._text([label for label in item.example.labels if label != IGNORED]) for item in batch]
            contexts = [_without_target(item) for item in batch]
            allowed = [limits.tokens(len(item.features) * 0.06) for item in batch]
            for text, tokens in zip(texts, generate(self._recognizer, contexts, allowed), strict=True):
                truncated += tokens[-1] != prompts.end_id
                _count_errors(errors, text, self._text(tokens))
        rates = {f"eval_{name}": wrong / max(1, total) for name, (wrong, total) in errors.items()}
        return rates | {"eval_truncated": truncated}

    def _text(self, tokens: list[int]) -> str:
        return self._recognizer.tokenizer.decode(tokens, skip_special_tokens=True)


def _count_errors(errors: dict[str, list[int]], reference: str, hypothesis: str) -> None:
    from rapidfuzz.distance import Levenshtein

    units = {
        "cer": (reference.replace(" ", ""), hypothesis.replace(" ", "")),
        "wer": (reference.split(), hypothesis.split()),
    }
    for name, (ref, hyp) in units.items():
        errors[name][0] += Levenshtein.distance(ref, hyp)
        errors[name][1] += len(ref)


class _Bookkeeping(transformers.TrainerCallback):
    """One log line an interval, and a mark on every checkpoint that is whole."""

    def __init__(self, total_steps: int):
        self._total = total_steps
        self._last = (time.monotonic(), 0)

    def on_train_begin(self, args, state, control, **kwargs):
        self._last = (time.monotonic(), state.global_step)

    def on_step_end(self, args, state, control, **kwargs):
        # The last step is always evaluated, so that the end of training can be chosen too.
        if state.global_step >= self._total:
            control.should_evaluate = True

    def on_log(self, args, state, control, logs=None, **kwargs):
        if not state.is_world_process_zero or not logs:
            return
        now, (then, step) = time.monotonic(), self._last
        values = {name: value for name, value in logs.items() if name in _SHOWN}
        if "loss" in logs and state.global_step > step:
            pace = (now - then) / (state.global_step - step)
            values["s/step"] = pace
            self._last = (now, state.global_step)
        shown = "  ".join(f"{_SHOWN.get(name, name)} {value:.4g}" for name, value in values.items())
        logger.info("step %d/%d  epoch %.2f  %s", state.global_step, self._total, state.epoch or 0, shown)

    def on_save(self, args, state, control, **kwargs):
        if state.is_world_process_zero:
            checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            checkpoints.mark_complete(checkpoint)


_SHOWN = {
    "loss": "loss",
    "grad_norm": "grad norm",
    "learning_rate": "lr",
    "eval_loss": "valid loss",
    "eval_cer": "valid CER",
    "eval_wer": "valid WER",
}


def _read_manifests(paths: Sequence[str | os.PathLike]) -> list[manifest.Utterance]:
    utterances = [utterance for path in paths for utterance in manifest.read(path)]
    if not utterances:
        raise RecipeError(f"{', '.join(map(str, paths))}: no utterances to train on")
    return utterances


def _arguments(settings: TrainSettings, state_dir: Path, steps: int, precision: str) -> transformers.TrainingArguments:
    interval = max(1, math.ceil(steps / settings.evaluations))
    best = None if settings.select == "last" else f"eval_{settings.select}"
    return transformers.TrainingArguments(
        output_dir=str(state_dir),
        max_steps=steps,
        gradient_accumulation_steps=settings.accumulate,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=settings.warmup if settings.warmup > 1 else math.ceil(settings.warmup * steps),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim="adamw_torch_fused",
        seed=settings.seed,
        bf16=precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        logging_steps=settings.log_every,
        logging_nan_inf_filter=False,
        disable_tqdm=not sys.stderr.isatty(),
        eval_strategy="steps",
        eval_steps=interval,
        save_strategy="steps",
        save_steps=interval,
        save_total_limit=settings.keep_checkpoints,
        load_best_model_at_end=best is not None,
        metric_for_best_model=best,
        greater_is_better=False,
        remove_unused_columns=False,
        label_names=["labels"],
        report_to=[],
    )


def _precision(setting: str) -> str:
    """fp32 or bf16 for "auto": bf16 compute (over fp32 weights) on a GPU that has it."""
    if setting != "auto":
        return setting
    return "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "fp32"


def train(
    recognizer: Recognizer,
    settings: TrainSettings,
    train_manifests: Sequence[str | os.PathLike],
    valid_manifests: Sequence[str | os.PathLike],
    output_dir: str | os.PathLike,
    state_dir: str | os.PathLike,
) -> dict:
    """Train and write the chosen checkpoint as a model directory; returns the facts that recipe.json holds.

    Called again after an interruption it goes on from the last whole checkpoint in `state_dir`.
    """
    output_dir, state_dir = Path(output_dir), Path(state_dir)
    state_dir.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(state_dir / "lock")
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise RecipeError(f"{state_dir}: another training process is at work here; wait for it or stop it") from None
    with lock:
        data = {os.fspath(path): sha256(path) for path in [*train_manifests, *valid_manifests]}
        checkpoints.check_fingerprint(state_dir, checkpoints.fingerprint(settings, data, recognizer.source))
        return _run(recognizer, settings, train_manifests, valid_manifests, output_dir, state_dir, data)


def _run(recognizer, settings, train_manifests, valid_manifests, output_dir: Path, state_dir: Path, data) -> dict:
    transformers.set_seed(settings.seed)
    front_end = FrontEnd(recognizer)
    train_set = Utterances(_read_manifests(train_manifests), front_end)
    valid_set = Utterances(_read_manifests(valid_manifests), front_end)
    _set_up_model(recognizer, settings)
    batches = batching.TrainingBatches(
        train_set.frames, int(settings.batch_seconds * 1000 / 60), settings.seed, _env("RANK", 0), _env("WORLD_SIZE", 1)
    )
    steps = settings.max_steps or math.ceil(batches.batches_in(settings.epochs) / settings.accumulate)
    batches.set_length(steps * settings.accumulate)
    precision = _precision(settings.precision)
    _describe(recognizer, settings, train_set, valid_set, batches, steps, precision)
    trainer = AsrTrainer(
        recognizer,
        batches,
        settings,
        args=_arguments(settings, state_dir, max(1, steps), precision),
        train_dataset=train_set,
        eval_dataset=valid_set,
        data_collator=_Collate(recognizer.tokenizer.pad_token_id),
        callbacks=[_Bookkeeping(steps)],
    )
    trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
    checkpoint = checkpoints.last(state_dir)
    if checkpoint:
        logger.info("going on from %s", checkpoint)
    started = time.monotonic()
    if steps:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    facts = _facts(recognizer, settings, trainer, data, precision, time.monotonic() - started)
    if trainer.is_world_process_zero():
        _write_model(recognizer, valid_set, facts, trainer.state.log_history, output_dir)
        shutil.rmtree(state_dir)
    return facts


def _set_up_model(recognizer: Recognizer, settings: TrainSettings) -> None:
    """Adapters, frozen parts and losses as the settings say."""
    model = recognizer.model
    if settings.lora:
        model.add_adapters(settings.lora, settings.seed)
    model.freeze(set(settings.freeze) | ({"llm"} if settings.lora else set()))
    model.ctc_weight = settings.ctc_weight
    model.ctc_blank = recognizer.tokenizer.pad_token_id
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable()


def _env(name: str, default: int) -> int:
    return int(os.environ.get(name, default))


def _describe(recognizer, settings, train_set, valid_set, batches, steps, precision) -> None:
    model = recognizer.model
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    plan = batching.epoch_batches(train_set.frames, int(settings.batch_seconds * 1000 / 60), settings.seed, 0)
    logger.info(
        "training on %d utterances (%.2f h), validating on %d; %d batches an epoch, %d steps; padding %.1f %%",
        len(train_set), sum(train_set.frames) * 0.06 / 3600, len(valid_set), len(plan), steps,
        100 * batching.padding_share(plan, train_set.frames),
    )  # fmt: skip
    logger.info(
        "%.2f of %.2f M parameters are trained (%s), %s, on %s",
        trainable / 1e6, model.num_parameters() / 1e6,
        "frozen: " + ", ".join(settings.freeze) if settings.freeze else "nothing frozen",
        precision, "GPU" if torch.cuda.is_available() else "CPU",
    )  # fmt: skip


def _facts(recognizer, settings, trainer, data, precision, seconds) -> dict:
    state = trainer.state
    return {
        "base": recognizer.source,
        "settings": dataclasses.asdict(settings),
        "data": data,
        "precision": precision,
        "steps": state.global_step,
        "selected_step": _selected_step(state),
        "selected_by": settings.select,
        "best_metric": state.best_metric,
        "seconds": round(seconds, 1),
        "versions": {
            "recipe": recipe.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "history": state.log_history,
    }


def _selected_step(state) -> int:
    return int(state.best_model_checkpoint.rpartition("-")[2]) if state.best_model_checkpoint else state.global_step


def _write_model(recognizer: Recognizer, valid_set: Utterances, facts: dict, history: list, output_dir: Path) -> None:
    """Write the model beside its place, prove that it can be loaded and says the same, and move it there whole."""
    temporary = output_dir.with_name(f".{output_dir.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    if facts["settings"]["lora"]:
        recognizer.model.merge_adapters(temporary / ADAPTER)
    recognizer.save(temporary, facts)
    write_json(temporary / HISTORY, history)
    _prove(recognizer, temporary, valid_set)
    output_dir.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(output_dir / ADAPTER, ignore_errors=True)
    for file in sorted(temporary.iterdir()):
        os.replace(file, output_dir / file.name)
    temporary.rmdir()
    logger.info("model of step %d written to %s", facts["selected_step"], output_dir)


def _prove(recognizer: Recognizer, directory: Path, valid_set: Utterances, sample: int = 8) -> None:
    """Load a written model afresh: it must give the very hypotheses that the trained one in memory gives."""
    recognizer.model.eval()
    items = [_without_target(valid_set[0, i]) for i in range(min(sample, len(valid_set)))]
    limits = [Limits().tokens(len(item.features) * 0.06) for item in items]
    afresh = load_model(directory, device=recognizer.model.device)
    expected, found = generate(recognizer, items, limits), generate(afresh, items, limits)
    differing = [item.key for item, a, b in zip(items, expected, found, strict=True) if a != b]
    if differing:
        raise RuntimeError(f"{directory}: loaded afresh, the model gives other text for {', '.join(differing)}")


def _without_target(item: Item) -> Item:
    """An item as decoding has it: its tokens end where the model is to write."""
    labels = item.example.labels
    target = next(i for i, label in enumerate(labels) if label != IGNORED)
    example = dataclasses.replace(item.example, input_ids=item.example.input_ids[:target], labels=labels[:target])
    return dataclasses.replace(item, example=example)
