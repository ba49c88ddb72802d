"""Where audio and targets are in a batch, as numbers of places.

Masks say the same, but whoever picks by a mask has to know how much it picks: a GPU is asked, and the CPU waits until
it has done all that was queued. Batches are made on the CPU, where the places cost nothing.
"""

import torch

from recipe.text.prompt import IGNORED


def audio_places(input_ids: torch.Tensor, audio_token_id: int, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Places [n] of the audio's placeholders in `input_ids` [batch, tokens], counted row after row, and those of the
    audio frames that replace them in [batch, `frames`]: a row's first ones."""
    is_audio = input_ids == audio_token_id
    rows, columns = is_audio.nonzero(as_tuple=True)
    within = is_audio.cumsum(1)[rows, columns] - 1
    return rows * input_ids.shape[1] + columns, rows * frames + within


def target_places(labels: torch.Tensor) -> torch.Tensor:
    """Places [targets] in `labels` [batch, tokens], counted row after row, of the tokens that come just before a
    target: what is computed there predicts it. A row's first token is none."""
    rows, columns = (labels[:, 1:] != IGNORED).nonzero(as_tuple=True)
    return rows * labels.shape[1] + columns
