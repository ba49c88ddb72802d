"""HF Trainer with our batches, our evaluation, and the bookkeeping of a run."""

import copy
import dataclasses
import logging
import math
import time
from collections.abc import Iterator, Sequence

import torch
import transformers

from recipe.files import RecipeError
from recipe.model.ahead import prefetch
from recipe.model.batches import batch_by_size
from recipe.model.features import FRAME_SECONDS, Item
from recipe.model.generate import Limits, generate
from recipe.model.network import Recognizer
from recipe.settings.train import TrainSettings
from recipe.text.prompt import IGNORED
from recipe.train import batching, compiled
from recipe.train.errors import ErrorCounts
from recipe.train.meter import Meter

logger = logging.getLogger(__name__)


class AsrTrainer(transformers.Trainer):
    """The Trainer with our batches in and with evaluation by token-weighted loss and by decoding."""

    def __init__(self, recognizer: Recognizer, batches: batching.TrainingBatches, settings: TrainSettings, **kwargs):
        self._recognizer = recognizer
        self._batches = batches
        self._settings = settings
        self._meter = Meter(recognizer, settings)
        self._nonfinite = 0
        self._source = self._ahead = None  # the Trainer's batches, and the same read ahead in a thread
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
        samples = super().get_batch_samples(epoch_iterator, *args, **kwargs)
        self._meter.wait(time.monotonic() - started)
        return samples

    def floating_point_ops(self, inputs) -> int:
        """Nothing: the Trainer's estimate, which goes through all parameters at every step, leaves the audio out."""
        return 0

    def training_step(self, model, inputs, num_items_in_batch=None) -> torch.Tensor:
        self._meter.count(inputs)
        return super().training_step(model, inputs, num_items_in_batch)

    def _clip_grad_norm(self, model) -> torch.Tensor:
        """Clip; a step whose gradients are not finite is left out, and too many of them end the run."""
        norm = super()._clip_grad_norm(model)
        if not math.isfinite(float(norm)):
            model.zero_grad(set_to_none=True)
            self._nonfinite += 1
            step = self.state.global_step + 1
            logger.warning("step %d: gradients are not finite; the step is left out", step)
            if self._nonfinite > max(2, self._settings.max_nonfinite * step):
                raise RecipeError(
                    f"{self._nonfinite} of {step} steps had gradients that are not finite (max_nonfinite "
                    f"{self._settings.max_nonfinite:g}); lower learning_rate, or look for broken audio"
                )
        return norm

    def log(self, logs: dict[str, float], *args, **kwargs) -> None:
        """Log with the epoch as our batches count it (to the Trainer a whole run is one epoch) and the throughput."""
        batches = self.state.global_step * self.args.gradient_accumulation_steps
        self.state.epoch = round(self._batches.epoch_at(batches), 4)
        if "loss" in logs:
            logs |= self._meter.read(self.state.global_step, self.args.world_size)
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
        loss, targets = self._loss(model, self._part(range(count)))
        errors, truncated = ErrorCounts(), 0
        wanted = self._settings.decode_utterances
        if wanted:
            sample = range(0, count, max(1, count // wanted))[:wanted]
            truncated = self._decode(recognizer, self._part(sample), errors)
        loss, targets, truncated, *errors.counts = self._add_up([loss, targets, truncated, *errors.counts])
        metrics = {"eval_loss": loss / max(1, targets)}
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

    def _part(self, indices: range) -> range:
        """The part of `indices` that this process evaluates."""
        if self.whole is not None:
            return indices if self.args.process_index == 0 else indices[:0]
        return indices[self.args.process_index :: self.args.world_size]

    def _add_up(self, values: list[float]) -> list[float]:
        """Sums over all processes."""
        if self.args.world_size == 1:
            return values
        sums = torch.tensor(values, dtype=torch.float64, device=self.args.device)
        torch.distributed.all_reduce(sums)
        return sums.tolist()

    def _loss(self, model: torch.nn.Module, indices: Sequence[int]) -> tuple[float, int]:
        """Summed loss over the targets of some validation utterances, and the number of these targets."""
        loss, targets = 0.0, 0
        with torch.inference_mode(), torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.args.bf16):
            for batch in self._validation_batches(indices):
                inputs = self._prepare_inputs(self.data_collator(batch))
                count = int((inputs["labels"] != IGNORED).sum())
                loss += float(model(**inputs).loss) * count
                targets += count
        return loss, targets

    def _validation_batches(self, indices: Sequence[int]) -> Iterator[list[Item]]:
        frames = self.eval_dataset.frames
        for batch in batch_by_size(sorted(indices, key=lambda i: frames[i]), frames, self._batches.budget):
            yield [self.eval_dataset[0, i] for i in batch]

    def _decode(self, recognizer: Recognizer, indices: Sequence[int], errors: "ErrorCounts") -> int:
        """Decode some validation utterances, add to `errors`, and return how many were stopped before their end. Texts
        are as written (no normalization: the scoring stages do that for the final numbers)."""
        truncated = 0
        for batch in self._validation_batches(indices):
            texts = [self._text([label for label in item.example.labels if label != IGNORED]) for item in batch]
            contexts = [without_target(item) for item in batch]
            allowed = [Limits().tokens(len(item.features) * FRAME_SECONDS) for item in batch]
            for text, tokens in zip(texts, generate(recognizer, contexts, allowed), strict=True):
                truncated += tokens[-1] != recognizer.prompts.end_id
                errors.add(text, self._text(tokens))
        return truncated

    def _text(self, tokens: list[int]) -> str:
        return self._recognizer.tokenizer.decode(tokens, skip_special_tokens=True)


def _copy(recognizer: Recognizer) -> Recognizer:
    return dataclasses.replace(recognizer, model=copy.deepcopy(recognizer.model))


def part_of(parameter_name: str) -> str:
    """Which part of the model a parameter belongs to."""
    if "audio_tower" in parameter_name:
        return "encoder"
    return "adaptor" if "multi_modal_projector" in parameter_name else "llm"


def without_target(item: Item) -> Item:
    """An item as decoding has it: its tokens end where the model is to write."""
    labels = item.example.labels
    target = next(i for i, label in enumerate(labels) if label != IGNORED)
    example = dataclasses.replace(item.example, input_ids=item.example.input_ids[:target], labels=labels[:target])
    return dataclasses.replace(item, example=example)
