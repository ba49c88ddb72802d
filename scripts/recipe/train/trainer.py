"""HF Trainer with our batches, our evaluation, and the bookkeeping of a run."""

import copy
import dataclasses
import functools
import logging
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from recipe.files import RecipeError
from recipe.model.ahead import prefetch
from recipe.model.batches import batch_by_size
from recipe.model.features import FRAME_SECONDS, Item
from recipe.model.generate import Greedy, Limits
from recipe.model.network import Recognizer
from recipe.settings.train import CTC, TrainSettings
from recipe.text.prompt import IGNORED
from recipe.train import batching, checkpoints, compiled, notice, preflight
from recipe.train.collate import COUNTS, KEYS, UNREAD
from recipe.train.dataset import Unreadable
from recipe.train.errors import ErrorCounts
from recipe.train.later import Later
from recipe.train.left_out import TRAIN, VALID, LeftOut, Suspects, Unread
from recipe.train.meter import Meter
from recipe.train.processes import added_up, gathered
from recipe.train.recorded import Batch, Recorded

logger = logging.getLogger(__name__)


class AsrTrainer(transformers.Trainer):
    """The Trainer with our batches (by CollateReadable) in and with evaluation by token-weighted loss and by decoding.
    What it has to leave out (see `left_out`) it says to `account`; before each step it asks `noticed` whether there is
    to be another. It begins anew, or goes on from a `checkpoint`."""

    def __init__(
        self,
        recognizer: Recognizer,
        batches: batching.TrainingBatches,
        settings: TrainSettings,
        account: LeftOut,
        noticed: notice.Notice,
        checkpoint: Path | None = None,
        **kwargs,
    ):
        self._recognizer = recognizer
        self._batches = batches
        self._settings = settings
        self._account = account
        self._noticed = noticed
        self._begins_at, self._kept = checkpoint, 0  # the step of the last checkpoint
        self._meter = Meter(recognizer, settings)
        self._unread: list[Unread] = []  # of this process's batches, not yet told
        self._step: list[_Pass] = []  # this process's batches of the optimizer step
        self._unsettled: _Taken | None = None  # the last step, while it is not known whether it was taken
        self._source = self._ahead = None  # the Trainer's batches, and the same read ahead in a thread
        self._recorded: Recorded | None = None  # from the first batch on, where batches have few shapes
        super().__init__(model=recognizer.model, **kwargs)
        # A sharded model cannot be evaluated or written as it is; the first process keeps a whole one for that.
        self.whole = _copy(recognizer) if self.is_fsdp_enabled else None

    def get_train_dataloader(self) -> torch.utils.data.DataLoader:
        workers = self._settings.workers
        return torch.utils.data.DataLoader(
            self.train_dataset,
            batch_sampler=self._batches,
            collate_fn=self.data_collator,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=self._noticed.outlive,
        )

    def create_optimizer(self, model=None) -> torch.optim.Optimizer:
        """AdamW with a learning rate for each part of the model; no decay of biases and norms."""
        if self.optimizer is None:
            model = self.model if model is None else model
            kind, options = self.get_optimizer_cls_and_kwargs(self.args, model)
            self.optimizer = kind(self._parameter_groups(model), **options)
        return self.optimizer

    def _parameter_groups(self, model: torch.nn.Module) -> list[dict]:
        decaying = set(self.get_decay_parameter_names(model))
        groups: dict[tuple[str, bool], list] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                groups.setdefault((part_of(name), name in decaying), []).append(parameter)
        rates = self._settings.learning_rates
        return [
            {
                "params": parameters,
                "weight_decay": self.args.weight_decay if decays else 0.0,
                "lr": rates.get(part, self.args.learning_rate),
            }
            for (part, decays), parameters in groups.items()
        ]

    def get_batch_samples(self, epoch_iterator, *args, **kwargs):
        started = time.monotonic()
        if not self._settings.workers:
            if self._source is not epoch_iterator:
                self._source, self._ahead = epoch_iterator, prefetch(epoch_iterator)
            epoch_iterator = self._ahead
        if self._begins_at:
            self._take_up(self._begins_at)
        samples = super().get_batch_samples(epoch_iterator, *args, **kwargs)
        self._meter.wait(time.monotonic() - started)
        self._look_up()
        self._step, self._loss_before = [], self._tr_loss.clone()
        return samples

    def _take_up(self, checkpoint: Path) -> None:
        """Go on with what the Trainer itself does not keep: the losses since the last log line."""
        self._begins_at, self._kept = None, self.state.global_step
        if kept := checkpoints.kept_loss(checkpoint):
            loss, self._globalstep_last_logged = kept
            self._tr_loss.fill_(loss)

    def _look_up(self) -> None:
        """Between two steps: keep a checkpoint, if any process was told to end or it is time, and end if told. The
        batches of the next step are read already, but in no way counted: a resumed run reads them again."""
        ends, due = self._to_end, self._due
        step = self.state.global_step
        if (ends or due) and step > self._kept:
            logger.info("%s: a checkpoint of step %d", "SIGTERM" if ends else "checkpoint_minutes", step)
            self._save_checkpoint(self.model, trial=None)
            self.control = self.callback_handler.on_save(self.args, self.state, self.control)
        if ends:
            kept = f"its checkpoint is in {self.args.output_dir}" if step else "there is no checkpoint yet"
            raise notice.Terminated(
                f"ended by SIGTERM after step {step} of {self.args.max_steps}; {kept}: call the same command to go on"
            )

    def _save_checkpoint(self, model, trial) -> None:
        self._settle()
        super()._save_checkpoint(model, trial)
        step = self.state.global_step
        folder = Path(self.args.output_dir) / f"checkpoint-{step}"
        checkpoints.keep_loss(folder, float(self._tr_loss), self._globalstep_last_logged)
        self._kept = step
        self._noticed.kept()

    def _get_num_items_in_batch(self, batch_samples: list, device: torch.device) -> int:
        """Targets of the step, of all processes, at least 1: what the sum of its losses is divided by. Also counted is
        what a process alone does not know: how many utterances could not be read, and how many processes were told to
        end, or find that a checkpoint is due."""
        targets = sum(int(batch[COUNTS][:, 2].sum()) for batch in batch_samples)
        unread = [what for batch in batch_samples for what in batch[UNREAD]]
        self._unread += unread
        own = [targets, len(unread), self._noticed.told_to_end, self._noticed.is_due]
        targets, self._found_unread, self._to_end, self._due = added_up(own)
        self._targets = int(targets)
        return max(1, self._targets)

    def _prepare_input(self, data: Any) -> Any:
        """As the Trainer's, but that a copy to a GPU is queued and not waited for: batches lie in pinned memory."""
        if torch.is_tensor(data) and not self.is_deepspeed_enabled:
            return data.to(self.args.device, non_blocking=True)
        return super()._prepare_input(data)

    def floating_point_ops(self, inputs) -> int:
        """Nothing: the Trainer's estimate, which goes through all parameters at every step, leaves the audio out."""
        return 0

    def training_step(self, model, inputs, num_items_in_batch=None) -> torch.Tensor:
        """As the Trainer's. A stand-in for a batch that could not be read is computed as well, since processes exchange
        gradients, but nothing comes of it: its loss is divided by infinity."""
        keys, _, counts = inputs.pop(KEYS), inputs.pop(UNREAD), inputs.pop(COUNTS)
        if keys:
            self._meter.count(counts, inputs["input_features_mask"].numel())
        else:
            num_items_in_batch = num_items_in_batch * math.inf
        if self._recorded is None and self._settings.cuda_graphs:
            self._recorded = self._record(model, inputs)
        step = self._recorded or functools.partial(super().training_step, model)
        loss = step(inputs, num_items_in_batch)
        self._step.append(_Pass(keys, inputs, loss))
        return loss

    def _record(self, model: torch.nn.Module, batch: Batch) -> Recorded:
        """Record the steps of all shapes, of batches like this one."""
        return Recorded(
            functools.partial(super().training_step, model),
            [one for one in model.parameters() if one.requires_grad],
            self.data_collator.ladder.shapes,
            functools.partial(self.data_collator.tensors.blank, batch),
            keeps_moments=bool(self.optimizer.state),
        )

    def _clip_grad_norm(self, model) -> torch.Tensor | float:
        """As the Trainer's, with gradients of a CTC branch scaled down apart: the rest of the model learns as without
        it. The norm is that of the rest, unless only the branch's is not finite. Sharded models are clipped whole."""
        branch = self._recognizer.model.ctc_head
        apart = {id(parameter) for parameter in branch.parameters()} if branch is not None else set()
        rest = [one for one in model.parameters() if one.requires_grad and id(one) not in apart]
        if not apart or not rest or self.is_fsdp_enabled or self.is_deepspeed_enabled:
            return super()._clip_grad_norm(model)
        norm, own = (
            self.accelerator.clip_grad_norm_(parameters, self.args.max_grad_norm)
            for parameters in (rest, branch.parameters())
        )
        return norm if math.isfinite(float(own)) else own

    def _get_grad_norm(self, model, grad_norm=None) -> torch.Tensor | float | None:
        """The norm of a step's gradients, clipped or not: the one place that all steps pass before the optimizer. A
        step that has no targets is left out, and its norm is None. So is one whose gradients are not finite, but that
        is known to the device alone at first (see `_settle`)."""
        norm = super()._get_grad_norm(model, grad_norm)
        self._settle()
        if self._found_unread:
            for found in gathered(self._unread):
                self._account.add_unread(TRAIN, found)
            self._unread = []
        if not self._targets:
            self._leave_out(model)
            return None
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            return self._checked(model, norm)
        finite = torch.isfinite(norm)
        # What AdamW's fused kernels look at: where it is 1, they do nothing.
        self.optimizer.optimizer.found_inf = (~finite).float()
        self._tr_loss = torch.where(finite, self._tr_loss, self._loss_before)
        self._unsettled = _Taken(self.state.global_step + 1, self._step, Later(finite))
        return norm

    def _settle(self) -> bool:
        """Whether the last step was taken; if it was not, which is known now, say and count it. Called when the next
        step is queued, all but its update: the device has that to do while the CPU waits for it to be through with the
        one before, and the weights are still those that it was computed with."""
        step, self._unsettled = self._unsettled, None
        if step is None or step.finite.read():
            return True
        self._globalstep_last_logged += 1  # the Trainer divides the logged loss by the steps since: one less
        self._account.add_step(step.number, gathered(self._suspects(step.passes)))
        return False

    def _checked(self, model: torch.nn.Module, norm: torch.Tensor | float | None) -> torch.Tensor | float | None:
        """The norm of gradients that are shared out, or None if it is not finite and the step is left out: found out
        before it is taken."""
        if norm is None or math.isfinite(float(norm)):
            return norm
        self._leave_out(model)
        step = self.state.global_step + 1
        self._account.add_step(step, gathered(self._suspects(self._step)))
        if self.is_deepspeed_enabled:
            raise RecipeError(f"step {step}: DeepSpeed has taken it already; go on without deepspeed, or anew")
        return None

    def _leave_out(self, model: torch.nn.Module) -> None:
        """Take the step's gradients away, so that the optimizer does nothing, and its loss out of the logged mean."""
        model.zero_grad(set_to_none=True)
        self._tr_loss = self._loss_before
        self._globalstep_last_logged += 1

    def _maybe_log_save_evaluate(self, tr_loss, grad_norm, *args, **kwargs) -> None:
        due = self.control.should_log or self.control.should_evaluate or self.control.should_save
        if due and not self._settle():
            grad_norm = None
        super()._maybe_log_save_evaluate(tr_loss, grad_norm, *args, **kwargs)

    def _suspects(self, step: "Sequence[_Pass]") -> Suspects:
        """Utterances of this process's batches of a step whose loss is not finite, or of all batches, told apart by one
        more forward pass. A sharded model cannot be asked by one process alone."""
        passes = [one for one in step if one.keys]
        passes = [one for one in passes if not math.isfinite(float(one.loss))] or passes
        keys = [key for one in passes for key in one.keys]
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            return Suspects([], keys)
        losses = [loss for one in passes for loss in self._utterance_losses(one.inputs)[: len(one.keys)]]
        own = [key for key, loss in zip(keys, losses, strict=True) if not math.isfinite(loss)]
        return Suspects(own, [key for key in keys if key not in own])

    @compiled.eager()
    def _utterance_losses(self, inputs: dict[str, torch.Tensor]) -> list[float]:
        """Mean loss of each utterance of a batch, without dropout: nothing random is drawn for it."""
        model, inputs = self._recognizer.model, self._prepare_inputs(inputs)
        model.eval()
        with torch.inference_mode(), torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.args.bf16):
            logits = model(**inputs).logits
        targets = inputs["labels"][:, 1:]
        supervised = targets != IGNORED
        logits = logits[: int(supervised.sum())]  # behind them are those of nobody's places
        losses = torch.nn.functional.cross_entropy(logits.float(), targets[supervised], reduction="none")
        return [float(own.mean()) for own in losses.split(supervised.sum(1).tolist())]

    def log(self, logs: dict[str, float], *args, **kwargs) -> None:
        """Log with the epoch as our batches count it (to the Trainer a whole run is one epoch) and the throughput."""
        batches = self.state.global_step * self.args.gradient_accumulation_steps
        self.state.epoch = round(self._batches.epoch_at(batches), 4)
        if "loss" in logs:
            logs |= self._meter.read(self.state.global_step, self.args.world_size)
            self._tr_loss.zero_()  # the Trainer subtracts it from itself, which leaves what is not finite
        super().log(logs, *args, **kwargs)

    @compiled.eager()
    def evaluate(self, *args, **kwargs) -> dict[str, float]:
        """Loss per target token over the whole validation set, and CER and WER of its decoded sample. Each process
        takes a part; of a sharded model the first process takes a whole copy and everything."""
        started = time.monotonic()
        recognizer = self._gathered()
        model, training = recognizer.model, recognizer.model.training
        model.eval()
        count = len(self.eval_dataset)
        sums = self._loss(model, self._part(range(count)))
        errors, truncated = ErrorCounts(), 0
        wanted = self._settings.decode_utterances
        if wanted:
            truncated = self._decode(recognizer, self._part(spread(count, wanted)), errors)
        for found in gathered(self._unread):
            self._account.add_unread(VALID, found)
        self._unread = []
        loss, targets, ctc_loss, ctc_tokens, truncated, *errors.counts = added_up([*sums, truncated, *errors.counts])
        metrics = {"eval_loss": loss / targets if targets else math.nan}
        if ctc_tokens:
            metrics["eval_ctc_loss"] = ctc_loss / ctc_tokens
        if wanted:
            metrics |= {"eval_cer": errors.cer, "eval_wer": errors.wer, "eval_truncated": int(truncated)}
        metrics["eval_seconds"] = round(time.monotonic() - started, 2)
        model.train(training)
        self._meter.pause(time.monotonic() - started)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _gathered(self) -> Recognizer:
        """The recognizer to evaluate: of a sharded model the copy that the first process has, brought up to date."""
        if self.whole is None:
            return self._recognizer
        weights = self.accelerator.get_state_dict(self.model)
        if self.args.process_index == 0:
            self.whole.model.load_state_dict(weights)
        return self.whole

    def _part(self, indices: Sequence[int]) -> Sequence[int]:
        """The part of `indices` that this process evaluates."""
        if self.whole is not None:
            return indices if self.args.process_index == 0 else indices[:0]
        return indices[self.args.process_index :: self.args.world_size]

    def _loss(self, model: torch.nn.Module, indices: Sequence[int]) -> tuple[float, int, float, int]:
        """Summed loss over the targets of some validation utterances, and the number of these targets; and the same of
        a CTC branch that is trained."""
        loss, targets, ctc_loss, ctc_tokens = 0.0, 0, 0.0, 0
        with torch.inference_mode(), torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.args.bf16):
            for batch in self._validation_batches(indices):
                inputs = self._prepare_inputs(self.data_collator.tensors(batch))
                count = int((inputs["labels"] != IGNORED).sum())
                outputs = model(**inputs)
                loss += float(outputs.loss) * count
                targets += count
                if outputs.ctc_loss is not None:
                    ctc_loss += float(outputs.ctc_loss)
                    ctc_tokens += int((inputs["ctc_targets"] != IGNORED).sum())
        return loss, targets, ctc_loss, ctc_tokens

    def _validation_batches(self, indices: Sequence[int]) -> Iterator[list[Item]]:
        """Batches of those that can be read."""
        frames, budget = self.eval_dataset.frames.tolist(), self._batches.budget
        if self._settings.cuda_graphs:  # which do not lend their memory
            budget = min(budget, round(preflight.AUTO_SECONDS / FRAME_SECONDS))
        for batch in batch_by_size(sorted(indices, key=lambda i: frames[i]), frames, budget):
            items = [self.eval_dataset[0, i] for i in batch]
            self._unread += [item.what for item in items if isinstance(item, Unreadable)]
            if readable := [item for item in items if not isinstance(item, Unreadable)]:
                yield readable

    def _decode(self, recognizer: Recognizer, indices: Sequence[int], errors: "ErrorCounts") -> int:
        """Decode some validation utterances, add to `errors`, and return how many were stopped before their end. Texts
        are as written (no normalization: the scoring stages do that for the final numbers)."""
        truncated, decoder = 0, Greedy(recognizer)
        for batch in self._validation_batches(indices):
            texts = [self._text([label for label in item.example.labels if label != IGNORED]) for item in batch]
            contexts = [without_target(item) for item in batch]
            allowed = [Limits().tokens(len(item.features) * FRAME_SECONDS) for item in batch]
            for text, tokens in zip(texts, decoder(contexts, allowed), strict=True):
                truncated += tokens[-1] != recognizer.prompts.end_id
                errors.add(text, self._text(tokens))
        return truncated

    def _text(self, tokens: list[int]) -> str:
        return self._recognizer.tokenizer.decode(tokens, skip_special_tokens=True)


@dataclasses.dataclass(frozen=True)
class _Pass:
    """A batch of an optimizer step: its utterances (none of a stand-in), its tensors and its loss."""

    keys: list[str]
    inputs: dict[str, torch.Tensor]
    loss: torch.Tensor


@dataclasses.dataclass(frozen=True)
class _Taken:
    """A step, from 1, that was taken if its gradients were finite, and this process's batches of it."""

    number: int
    passes: list[_Pass]
    finite: Later


def spread(count: int, wanted: int) -> list[int]:
    """At most `wanted` of the places 0 to `count` - 1, each once, evenly over all of them."""
    wanted = min(count, wanted)
    return [place * count // wanted for place in range(wanted)]


def _copy(recognizer: Recognizer) -> Recognizer:
    return dataclasses.replace(recognizer, model=copy.deepcopy(recognizer.model))


def part_of(parameter_name: str) -> str:
    """Which part of the model a parameter belongs to; the CTC branch is one too."""
    if "ctc_head" in parameter_name:
        return CTC
    if "audio_tower" in parameter_name:
        return "encoder"
    return "adaptor" if "multi_modal_projector" in parameter_name else "llm"


def without_target(item: Item) -> Item:
    """An item as decoding has it: its tokens end where the model is to write."""
    labels = item.example.labels
    target = next(i for i, label in enumerate(labels) if label != IGNORED)
    example = dataclasses.replace(item.example, input_ids=item.example.input_ids[:target], labels=labels[:target])
    return dataclasses.replace(item, example=example)
