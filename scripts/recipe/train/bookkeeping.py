"""What a training run tells and keeps: log lines, TensorBoard, early stopping, checkpoints."""

import logging
from pathlib import Path

import torch
import transformers
from torch.utils.tensorboard import SummaryWriter

from recipe.settings.train import TENSORBOARD, TrainSettings
from recipe.train import checkpoints
from recipe.train.left_out import LeftOut
from recipe.train.trackers import Trackers

logger = logging.getLogger(__name__)


# What a log line shows of the Trainer's values, under which name.
SHOWN = {
    "loss": "loss",
    "grad_norm": "grad norm",
    "learning_rate": "lr",
    "eval_loss": "valid loss",
    "eval_cer": "valid CER",
    "eval_wer": "valid WER",
    "eval_ctc_loss": "valid CTC loss",
    "seconds_per_step": "s/step",
    "audio_hours_per_hour": "h/h",
    "tokens_per_second": "tokens/s",
    "padding": "padding",
    "data_wait": "data wait",
    "share_of_peak": "of peak",
}


class Bookkeeping(transformers.TrainerCallback):
    """One log line an interval, TensorBoard if it is asked for, early stopping, and checkpoints: marked when whole,
    deleted when neither the last nor among the best."""

    def __init__(
        self, settings: TrainSettings, account: LeftOut, total_steps: int, tensorboard_dir: Path, trackers: Trackers
    ):
        self._settings = settings
        self._account = account
        self._total = total_steps
        self._tensorboard_dir = tensorboard_dir
        self._trackers = trackers
        self._writer: SummaryWriter | None = None

    def on_train_begin(self, args, state, control, **kwargs):
        if not state.is_world_process_zero:
            return
        self._trackers.begun()
        if TENSORBOARD in self._settings.report_to:
            # After a resume, what was written beyond the checkpoint is hidden.
            self._writer = SummaryWriter(str(self._tensorboard_dir), purge_step=state.global_step + 1)

    def on_step_end(self, args, state, control, **kwargs):
        # The last step is always evaluated, so that the end of training can be chosen too.
        if state.global_step >= self._total:
            control.should_evaluate = True

    def on_log(self, args, state, control, logs=None, **kwargs):
        if not state.is_world_process_zero or not logs or "train_runtime" in logs:
            return
        shown = "  ".join(f"{SHOWN[name]} {value:.4g}" for name, value in logs.items() if name in SHOWN)
        logger.info("step %d/%d  epoch %.2f  %s", state.global_step, self._total, state.epoch or 0, shown)
        for name, value in logs.items() if self._writer else ():
            if isinstance(value, int | float) and name != "epoch":
                group = "valid" if name.startswith("eval_") else "train"
                self._writer.add_scalar(f"{group}/{name.removeprefix('eval_')}", value, state.global_step)

    def on_evaluate(self, args, state, control, **kwargs):
        patience = self._settings.early_stopping
        ranked = checkpoints.ranking(state.log_history, self._settings.select)
        evaluations = [entry["step"] for entry in state.log_history if "eval_loss" in entry]
        if patience and ranked and len([step for step in evaluations if step > ranked[0]]) >= patience:
            logger.info("no better %s for %d evaluations: training ends", self._settings.select, patience)
            control.should_training_stop = True

    def on_save(self, args, state, control, **kwargs):
        if torch.distributed.is_initialized():
            torch.distributed.barrier()  # every process has written its part
        if state.is_world_process_zero:
            state_dir = Path(args.output_dir)
            written = state_dir / f"checkpoint-{state.global_step}"
            self._account.save(written)
            checkpoints.mark_complete(written)
            best = checkpoints.chosen(state.log_history, self._settings.select, self._settings.average)
            for checkpoint in checkpoints.whole(state_dir):
                if checkpoints.step_of(checkpoint) not in {state.global_step, *best}:
                    checkpoints.remove(checkpoint)

    def on_train_end(self, args, state, control, **kwargs):
        if self._writer:
            self._writer.close()
