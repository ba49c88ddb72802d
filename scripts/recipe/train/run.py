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
import time
from pathlib import Path

import filelock
import torch
import transformers

from recipe import versions
from recipe.data.advice import advise
from recipe.files import RecipeError, make_folder
from recipe.model import ctc
from recipe.model import directory as model_dir
from recipe.model.features import FRAME_SECONDS
from recipe.model.network import Recognizer, device_name
from recipe.settings.section import AUTO
from recipe.settings.train import TrainSettings, check_trackers
from recipe.train import batching, checkpoints, chosen, compiled, ctc_head, ladder, lowered, peers, preflight
from recipe.train.arguments import check_schedule, precision_of, trainer_arguments, with_steps
from recipe.train.bookkeeping import Bookkeeping
from recipe.train.caching import frozen_outputs
from recipe.train.collate import CollateReadable
from recipe.train.dataset import Utterances
from recipe.train.left_out import TRAIN, VALID, LeftOut
from recipe.train.notice import Notice
from recipe.train.plans import EpochPlan, Plans, open_plans
from recipe.train.processes import on_gpu, processes, rank, sharing_memory, told_by_first
from recipe.train.result import check_writable, facts_of, proof_sample, write_model
from recipe.train.sets import Manifests, TrainingInputs, open_manifests, read_sets
from recipe.train.trackers import Tracked, Trackers, named_by
from recipe.train.trainer import AsrTrainer

logger = logging.getLogger(__name__)

REJECTS = "rejects.tsv"  # beside the state: utterances that cannot be trained on
# In the state: tables of the sets and indexes of manifests that have none, and the batches of epochs.
SETS, PLANS = "sets", "plans"


def train(
    recognizer: Recognizer,
    settings: TrainSettings,
    inputs: TrainingInputs,
    output_dir: str | os.PathLike,
    state_dir: str | os.PathLike,
    tracked: Tracked | None = None,
) -> dict:
    """Train and write the chosen checkpoint as a model directory; returns the facts that recipe.json holds. Trackers
    are told of it as `tracked`, by default by its folder.

    Called again after an interruption it goes on from the last whole checkpoint in `state_dir`. Under torchrun every
    process calls it; the first one writes.
    """
    if problem := settings.contradiction():
        raise RecipeError(problem)
    output_dir, state_dir = Path(output_dir), Path(state_dir)
    check_trackers(settings)
    make_folder(state_dir)
    precision = precision_of(settings)
    # One process tells them.
    trackers = Trackers(() if rank() else settings.report_to, tracked or named_by(output_dir), state_dir)
    # On several processes this connects them.
    arguments = trainer_arguments(settings, state_dir, precision, trackers.arguments())
    check_schedule(arguments)
    with peers.naming_the_silent(), _locked(state_dir) if rank() == 0 else contextlib.nullcontext():
        return _run(recognizer, settings, inputs, output_dir, state_dir, arguments, trackers)


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


def _run(
    recognizer: Recognizer,
    settings: TrainSettings,
    inputs: TrainingInputs,
    output_dir: Path,
    state_dir: Path,
    arguments: transformers.TrainingArguments,
    trackers: Trackers,
) -> dict:
    transformers.set_seed(settings.seed)
    precision = precision_of(settings)
    rejects_file, folder = state_dir.with_name(REJECTS), state_dir / SETS
    manifests, facts = told_by_first(lambda: _begin(recognizer, settings, inputs, output_dir, state_dir))
    train_set, valid_set = read_sets(recognizer, settings, inputs, manifests, rejects_file, folder)
    settings = ctc_head.set_up(recognizer, _with_advised_freeze(settings, train_set))
    asked, load = settings, chosen.load_of(recognizer, settings, train_set)
    settings = chosen.with_graphs(chosen.with_compile(settings, load, preflight.kept(state_dir)))
    _set_up_model(recognizer, settings)
    if recognizer.model.ctc_head is not None:
        train_set.ctc_tokens = valid_set.ctc_tokens = recognizer.model.ctc_head.tokens
    account = LeftOut(settings, {TRAIN: len(train_set), VALID: len(valid_set)}, rejects_file)
    checkpoint = checkpoints.last(state_dir)
    if checkpoint:
        account.resume(checkpoint)
    if settings.cache_frozen:
        train_set.frozen = frozen_outputs(recognizer, settings, train_set, precision, state_dir)
        account.add_unread(TRAIN, train_set.unread())
    budget = preflight.find_budget(recognizer, settings, train_set, precision, state_dir)
    preflight.keep(state_dir, budget, settings.compile)
    settings = chosen.with_workers(chosen.with_budget(settings, budget), min(budget.frames, train_set.total_frames))
    chosen.tell(asked, settings, budget, load, recognizer.model.device)
    shapes = None
    if settings.cuda_graphs:
        shapes = ladder.fitted(train_set, settings, budget.frames, recognizer.audio_tokens)
    batches = _batches(train_set, inputs, settings, budget.frames, state_dir, shapes)
    steps = settings.max_steps or math.ceil(batches.batches_in(settings.epochs) / settings.accumulate)
    batches.set_length(steps * settings.accumulate)
    arguments = with_steps(arguments, settings, steps)
    _describe(recognizer, settings, train_set, valid_set, batches.plans, steps, precision)
    _look_at_disk(recognizer, settings, state_dir)
    notice = Notice(settings.checkpoint_minutes)
    trainer = AsrTrainer(
        recognizer,
        batches,
        settings,
        account,
        notice,
        checkpoint,
        args=arguments,
        train_dataset=train_set,
        eval_dataset=valid_set,
        data_collator=CollateReadable(recognizer.tokenizer.pad_token_id, recognizer.prompts.audio_token_id, shapes),
        callbacks=[Bookkeeping(settings, account, steps, state_dir.with_name("tensorboard"), trackers)],
    )
    trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
    if checkpoint:
        logger.info("going on from %s", checkpoint)
        batches.done = checkpoints.step_of(checkpoint) * settings.accumulate
    started = time.monotonic()
    if steps:
        with notice.listening(), sharing_memory():
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    batches.plans.close()
    facts = facts_of(facts, settings, trainer.state, precision, time.monotonic() - started)
    facts |= ctc_head.facts(recognizer.source, settings, steps)
    if trainer.is_world_process_zero():
        recognizer = trainer.whole or recognizer
        lowered.undo(recognizer.model)
        if steps:
            weights = checkpoints.averaged_weights(state_dir, facts["selected_steps"])
            recognizer.model.load_state_dict(weights, strict=False)
        sample = proof_sample(valid_set, account)
        facts |= account.facts
        write_model(recognizer, sample, facts, trainer.state.log_history, output_dir)
        checkpoints.finish(state_dir)
    return facts


def _begin(
    recognizer: Recognizer, settings: TrainSettings, inputs: TrainingInputs, output_dir: Path, state_dir: Path
) -> tuple[Manifests, dict]:
    """What the first process finds out for all: the manifests, and what recipe.json says of them and of the base model.
    RecipeError if the state is not of this run."""
    check_writable(output_dir)
    base, manifests = model_dir.origin(recognizer.source), open_manifests(inputs, state_dir / SETS)
    weights = base["files"].get("model.safetensors", recognizer.source)
    facts = checkpoints.fingerprint(settings, manifests.hashes(), weights)
    branch = f"{ctc.FOLDER}/{ctc.WEIGHTS}"
    if branch in base["files"]:
        facts["CTC branch"] = base["files"][branch]
    checkpoints.check_fingerprint(state_dir, facts)
    sets, prompt = manifests.describe()
    return manifests, {"base": base, "data": manifests.hashes(), "sets": sets, "prompt": prompt}


def _batches(
    train_set: Utterances,
    inputs: TrainingInputs,
    settings: TrainSettings,
    budget: int,
    state_dir: Path,
    shapes: ladder.Ladder | None = None,
) -> batching.TrainingBatches:
    """This rank's batches of all epochs, for `shapes` if there are some; those of a run that is to have so many are
    counted before its first step."""

    def make(epoch: int) -> EpochPlan:
        return batching.epoch_plan(
            train_set.indices(epoch),
            train_set.lengths(epoch),
            budget,
            settings.seed,
            epoch,
            processes(),
            shuffle=settings.shuffle,
            rounding=shapes.rounding(train_set, epoch) if shapes else None,
        )

    cause = [versions.TRAINING, settings.seed, settings.augment.speeds, inputs.all_weights(), budget, processes()]
    cause += [settings.shuffle, *([dataclasses.asdict(shapes)] if shapes else [])]
    epochs = 1 if settings.max_steps else max(1, math.ceil(settings.epochs))
    # Between two exchanges a process takes the batches of a step, and its readers some more: two each, a few without.
    ahead = processes() * (settings.accumulate + 2 * settings.workers + 8) if processes() > 1 else 0
    plans = open_plans(state_dir / PLANS, make, cause, train_set.utterances.file, epochs, ahead)
    return batching.TrainingBatches(plans, budget, rank(), processes())


def _with_advised_freeze(settings: TrainSettings, train_set: Utterances) -> TrainSettings:
    """`freeze: auto` as the parts that the published advice leaves alone for so many hours."""
    if settings.freeze != AUTO:
        return settings
    advice = advise(train_set.utterances.seconds / 3600)
    logger.info("freeze: auto is %s (%s)", advice["freeze"], advice["why"])
    settings = dataclasses.replace(settings, freeze=tuple(advice["freeze"]))
    if problem := settings.contradiction():
        raise RecipeError(f"freeze: auto is {advice['freeze']}: {problem}")
    return settings


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
    if on_gpu(settings):
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
        model.to(device)
    if precision_of(settings) == "bf16" and not settings.sharded:
        lowered.lower(model)
    if settings.compile is True:
        compiled.compile_layers(model)


def _describe(recognizer, settings, train_set, valid_set, plans: Plans, steps: int, precision: str) -> None:
    if rank():
        return
    model = recognizer.model
    logger.info(
        "training on %d utterances (%.2f h), validating on %d; %d batches an epoch, %d steps; padding %.1f %%",
        len(train_set), train_set.total_frames * FRAME_SECONDS / 3600, len(valid_set), plans.size(0), steps,
        100 * plans.padding(0),
    )  # fmt: skip
    logger.info(
        "%.2f of %.2f M parameters are trained (%s), %s, on %s",
        model.num_parameters(only_trainable=True) / 1e6, model.num_parameters() / 1e6,
        "frozen: " + ", ".join(settings.freeze) if settings.freeze else "nothing frozen",
        precision, device_name(model.device),
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
