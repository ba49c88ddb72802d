"""Trackers that show a run beside its log: under which names, where they keep what they are told, and how a run that
was interrupted goes on in the same place. TensorBoard is written by `bookkeeping`, the others by transformers' Trainer.
"""

import importlib.util
import os
import secrets
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipe.files import read_json, write_json
from recipe.settings.train import TENSORBOARD

FILE = "trackers.json"  # in the state: the run's names for the trackers
_LETTERS = string.ascii_lowercase + string.digits
_ID_LENGTH = 21  # what SwanLab asks for; W&B takes it too
_LOGINS = {"api.wandb.ai": "WANDB_API_KEY", "swanlab": "SWANLAB_API_KEY"}


@dataclass(frozen=True)
class Tracked:
    """What a run is called: its project, and itself."""

    project: str
    run: str


def named_by(output_dir: str | os.PathLike) -> Tracked:
    """The names of a run that writes its model to PROJECT/train/RUN/model, as the workflow does; of another folder, its
    own and that of the folder around it."""
    folder = Path(output_dir).absolute()
    if folder.parent.parent.name == "train":
        return Tracked(folder.parents[2].name or "train", folder.parent.name)
    return Tracked(folder.parent.name or "train", folder.name)


class Trackers:
    """The trackers of a run, but for TensorBoard. Its identity lies in the state: it is another one when the run begins
    anew, and the same after an interruption."""

    def __init__(self, report_to: tuple[str, ...], tracked: Tracked, state_dir: Path):
        self._names = [name for name in report_to if name != TENSORBOARD]
        self._tracked = tracked
        self._folder = state_dir.parent
        self._file = state_dir / FILE

    def arguments(self) -> dict[str, Any]:
        """Arguments of the Trainer. What its integrations read from the environment is set there, if it is not yet."""
        if not self._names:
            return {"report_to": []}
        known = self._identity()
        self._set_environment(known)
        # Trackio goes on with any run of the same name: a run that begins anew needs another.
        name = f"{self._tracked.run}-{known['id'][:4]}" if "trackio" in self._names else self._tracked.run
        return {"report_to": self._names, "run_name": name, "project": self._tracked.project}

    def _identity(self) -> dict[str, str]:
        """What the trackers know the run by."""
        if not self._file.is_file():
            write_json(self._file, {"id": "".join(secrets.choice(_LETTERS) for _ in range(_ID_LENGTH))})
        return read_json(self._file)

    def _set_environment(self, known: dict[str, str]) -> None:
        """Names, places and identities. Without an account W&B and SwanLab keep what they are told, and ask nobody."""
        folder, project = str(self._folder.absolute()), self._tracked.project
        values = {
            "WANDB_PROJECT": project, "WANDB_DIR": folder, "WANDB_RUN_ID": known["id"], "WANDB_RESUME": "allow",
            "WANDB_MODE": "online" if _has_account("api.wandb.ai", ".netrc") else "offline",
            "SWANLAB_PROJECT": project, "SWANLAB_LOG_DIR": f"{folder}/swanlog",
            "SWANLAB_MODE": "cloud" if _has_account("swanlab", ".swanlab/.netrc") else "offline",
            "MLFLOW_EXPERIMENT_NAME": project, **_mlflow_store(folder),
        }  # fmt: skip
        if values["SWANLAB_MODE"] == "cloud":  # offline it cannot go on
            values |= {"SWANLAB_RUN_ID": known["id"], "SWANLAB_RESUME": "allow"}
        if "mlflow" in known:
            values["MLFLOW_RUN_ID"] = known["mlflow"]
        for name, value in values.items():
            os.environ.setdefault(name, value)

    def begun(self) -> None:
        """Keep what MLflow calls the run, which it says only then."""
        if "mlflow" in self._names:
            import mlflow

            write_json(self._file, self._identity() | {"mlflow": mlflow.active_run().info.run_id})


def _mlflow_store(folder: str) -> dict[str, str]:
    """Where MLflow keeps runs: in a database, or in files where it is installed without what that needs (as
    mlflow-skinny), which it does only if told that this is meant."""
    if all(map(importlib.util.find_spec, ("sqlalchemy", "alembic"))):
        return {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    return {"MLFLOW_TRACKING_URI": f"file://{folder}/mlruns", "MLFLOW_ALLOW_FILE_STORE": "true"}


def _has_account(host: str, login_file: str) -> bool:
    """Whether somebody has logged in at a tracker: by a key in the environment, or in the file of its login."""
    file = Path.home() / login_file
    return bool(os.environ.get(_LOGINS[host])) or (file.is_file() and host in file.read_text(encoding="utf-8"))
