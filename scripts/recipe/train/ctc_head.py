"""The CTC branch of a model that is trained: learning too, or left to what the encoder becomes."""

import dataclasses
import logging
import os
from pathlib import Path

from recipe.files import read_json
from recipe.model import ctc
from recipe.model.directory import RECIPE_FILE
from recipe.model.network import Recognizer
from recipe.settings.train import CTC, TrainSettings

logger = logging.getLogger(__name__)

NEW_RATE = 1e-3  # peak learning rate of a branch that begins with random weights


def set_up(recognizer: Recognizer, settings: TrainSettings) -> TrainSettings:
    """Put the branch into the model if it is to be trained, a new one where there is none, and return the settings with
    its learning rate. Say so where times will not fit any more. RecipeError if the model has one that is not whole."""
    encoder = recognizer.model.config.audio_config
    branch = ctc.load(recognizer.source, encoder.hidden_size)
    if not settings.ctc_head:
        if branch is not None and trains_encoder(settings):
            logger.warning(
                "the encoder is trained and the CTC branch of %s is not: its word times will no longer fit, as "
                "recipe.json and the card will say; set ctc_head: true to train it too, or freeze the encoder",
                recognizer.source,
            )
        return settings
    if branch is None:
        branch = ctc.begin(encoder, recognizer.tokenizer, settings.seed)
        settings = dataclasses.replace(settings, learning_rates={CTC: NEW_RATE} | settings.learning_rates)
        logger.info("ctc_head: %s has no CTC branch, so one begins, over %d tokens", recognizer.source, branch.blank)
    recognizer.model.ctc_head = branch
    return settings


def trains_encoder(settings: TrainSettings) -> bool:
    """Whether the encoder is trained."""
    return "encoder" not in settings.freeze


def facts(source: str | os.PathLike, settings: TrainSettings, steps: int) -> dict:
    """What recipe.json says of the branch of a model that was trained from `source` for so many steps; nothing where
    there is none. It is stale where the encoder is another than the one that it was trained with."""
    had = ctc.has_branch(source)
    if not had and not settings.ctc_head:
        return {}
    file = Path(source) / RECIPE_FILE
    before = read_json(file).get(CTC, {}) if file.is_file() else {}
    trained = settings.ctc_head and steps > 0
    changed = steps > 0 and trains_encoder(settings)
    return {CTC: {"trained": trained, "stale": not trained and (not had or changed or before.get("stale", False))}}
