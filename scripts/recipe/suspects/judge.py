"""Judging: a model is asked for the losses of transcripts, of its hypotheses and of transcripts that are made wrong."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch

from recipe.audio import reading as audio
from recipe.audio.fetch import DEFAULT, FetchPolicy
from recipe.audio.reading import AudioError
from recipe.data.manifest import Utterance
from recipe.model.ahead import prefetch
from recipe.model.batches import batch_by_size
from recipe.model.features import FRAME_SECONDS, FrontEnd, Item, collate, on_device
from recipe.model.network import Recognizer
from recipe.settings.data import AVERAGE
from recipe.suspects.judgement import Judgement, TextLoss
from recipe.suspects.made_wrong import made_wrong
from recipe.suspects.sampling import drawn
from recipe.suspects.sound import sound_evidence
from recipe.text.prompt import IGNORED

logger = logging.getLogger(__name__)

BLOCK = 1000  # utterances that are sorted by length together
CPU_BATCH_SECONDS, GPU_BATCH_SECONDS = 160.0, 600.0  # of padded audio a batch
MOST_SECONDS = 120.0  # that the encoder hears at once
PROBED = 20_000  # utterances for which a wrong transcript is made, at most


def judge(
    recognizer: Recognizer,
    utterances: Iterable[tuple[Utterance, str | None]],
    total: int,
    fetch_policy: FetchPolicy = DEFAULT,
) -> Iterator[Judgement]:
    """Judge utterances, each with its hypothesis (None: there is none), in their order, in memory that does not grow
    with their number. `total` says how many there are. RecipeError as of the front end."""
    front_end = FrontEnd(recognizer)
    device = recognizer.model.device
    batch_seconds = GPU_BATCH_SECONDS if device.type == "cuda" else CPU_BATCH_SECONDS
    iterator, done = iter(utterances), 0
    while block := list(islice(iterator, BLOCK)):
        texts = [utterance.text for utterance, _ in block]
        asked = [
            _Asked(
                one, said, made_wrong(one.key, one.text, texts) if drawn(f"probe {one.key}", PROBED, total) else None
            )
            for one, said in block
        ]
        yield from _block(recognizer, front_end, asked, batch_seconds, fetch_policy)
        done += len(block)
        logger.info("%d of %d utterances are judged", done, total)


class _Asked(NamedTuple):
    """An utterance with the texts that a model is asked about besides its own."""

    utterance: Utterance
    hypothesis: str | None
    wrong: str | None


def _block(
    recognizer: Recognizer, front_end: FrontEnd, asked: Sequence[_Asked], batch_seconds: float, policy: FetchPolicy
) -> Iterator[Judgement]:
    """The judgements of some utterances, computed by length, in their own order."""
    frames = [int(one.utterance.duration / FRAME_SECONDS) + 1 for one in asked]
    heard = [i for i, one in enumerate(asked) if one.utterance.duration <= MOST_SECONDS]
    order = sorted(heard, key=lambda i: -frames[i])
    batches = batch_by_size(order, frames, int(batch_seconds / FRAME_SECONDS))
    found: dict[int, Judgement] = {}
    waveforms = prefetch([(i, _waveform(asked[i].utterance, policy)) for i in batch] for batch in batches)
    for batch in waveforms:
        readable = [(i, waveform) for i, waveform in batch if waveform is not None]
        if readable:
            ours = [asked[i] for i, _ in readable]
            features = [front_end.features(waveform) for _, waveform in readable]
            judged = _judged(recognizer, front_end, ours, features)
            for (i, waveform), one in zip(readable, judged, strict=True):
                found[i] = replace(one, sound=sound_evidence(waveform))
    for i, one in enumerate(asked):
        yield found.get(i) or Judgement(one.utterance.key)


def _waveform(utterance: Utterance, policy: FetchPolicy) -> np.ndarray | None:
    """The utterance's samples [samples] at 16 kHz, at least a frame; None where they cannot be read."""
    try:
        waveform = audio.read(
            utterance.source,
            start=utterance.start,
            end=utterance.end,
            channel=AVERAGE if utterance.channel is None else utterance.channel,
            fetch_policy=policy,
            incomplete=True,
        )
    except AudioError as error:
        logger.warning("%s: %s", utterance.key, error)
        return None
    if not len(waveform) or not np.isfinite(waveform).all():
        logger.warning("%s: no samples, or some that are not finite", utterance.key)
        return None
    return audio.a_frame_at_least(waveform)


@torch.inference_mode()
def _judged(
    recognizer: Recognizer, front_end: FrontEnd, asked: Sequence[_Asked], features: Sequence[torch.Tensor]
) -> list[Judgement]:
    """The judgements of a batch; `features` [frames, 560] of each."""
    items = [_item(front_end, one.utterance, own, one.utterance.text) for one, own in zip(asked, features, strict=True)]
    batch = _batch(recognizer, items)
    mask = batch["input_features_mask"]
    sounds = recognizer.model.adapt(recognizer.model.encode(batch["input_features"], mask), mask)
    found = {"reference": dict(enumerate(_losses(recognizer, batch, sounds)))}
    for name in ("hypothesis", "wrong"):
        rows = [row for row, one in enumerate(asked) if getattr(one, name) is not None]
        texts = [_item(front_end, asked[row].utterance, features[row], getattr(asked[row], name)) for row in rows]
        losses = _losses(recognizer, _batch(recognizer, texts), sounds[rows]) if rows else []
        found[name] = dict(zip(rows, losses, strict=True))
    return [
        Judgement(one.utterance.key, wrong_text=one.wrong, **{name: losses.get(row) for name, losses in found.items()})
        for row, one in enumerate(asked)
    ]


def _item(front_end: FrontEnd, utterance: Utterance, features: torch.Tensor, text: str) -> Item:
    """An utterance with a text in the place of its transcript."""
    return Item(utterance.key, features, front_end.example(len(features), utterance.prompt, text, utterance.after))


def _batch(recognizer: Recognizer, items: Sequence[Item]) -> dict[str, torch.Tensor]:
    return on_device(collate(items, recognizer.tokenizer.pad_token_id), recognizer.model.device)


def _losses(recognizer: Recognizer, batch: dict[str, torch.Tensor], sounds: torch.Tensor) -> list[TextLoss]:
    """The losses of the targets of a batch; `sounds` [batch, frames, hidden] are its adaptor frames."""
    labels = batch["labels"]
    logits = recognizer.model(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], adaptor_outputs=sounds, labels=labels
    ).logits
    targets = labels[:, 1:]
    supervised = targets != IGNORED
    losses = torch.nn.functional.cross_entropy(logits.float(), targets[supervised], reduction="none")
    parts = losses.split(supervised.sum(1).tolist())
    return [TextLoss(round(float(own.sum()), 4), round(float(own.max()), 4), len(own)) for own in parts]
