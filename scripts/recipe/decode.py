"""Decoding: audio to text in batches, greedy or with beams, every hypothesis with how it ended."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from tqdm import tqdm

from recipe import audio, batching
from recipe.audio import AudioError
from recipe.features import FrontEnd, Item, collate
from recipe.model import Recognizer

logger = logging.getLogger(__name__)

FRAMES_PER_SECOND = 1000 / 60  # stacked frames


@dataclass(frozen=True)
class Request:
    """One utterance to decode."""

    key: str
    source: str
    prompt: str
    duration: float = 0.0  # seconds, from the header
    start: float = 0.0
    end: float | None = None
    error: AudioError | None = None  # found before decoding


@dataclass(frozen=True)
class Limits:
    """When the model is stopped: after `base` + `per_second` x duration tokens."""

    base: int = 16
    per_second: float = 12.0

    def tokens(self, seconds: float) -> int:
        return self.base + int(self.per_second * seconds)


@dataclass(frozen=True)
class Hypothesis:
    """What was decoded for a key. `ended` is "eos" (the model stopped), "length" (it was stopped at its limit) or
    "error" (no audio to decode: `text` is empty and `error` says why)."""

    key: str
    text: str
    ended: str
    tokens: int = 0
    duration: float = 0.0
    error: str | None = None

    def to_json(self) -> dict:
        record = {
            "key": self.key,
            "text": self.text,
            "ended": self.ended,
            "tokens": self.tokens,
            "duration": round(self.duration, 4),
        }
        return record if self.error is None else record | {"error": self.error}


def probe(
    entries: Iterable[tuple[str, str]], prompt: Callable[[str], str], allow_commands: bool = False
) -> list[Request]:
    """Read the headers of (key, source) entries; one that cannot be read keeps its error."""
    requests = []
    for key, source in entries:
        try:
            info = audio.probe(source, allow_commands)
            short = info.seconds * audio.SAMPLING_RATE < audio.MIN_SAMPLES
            error = (
                AudioError("audio-too-short", f"{info.seconds * 1000:.1f} ms, at least 25 needed") if short else None
            )
            requests.append(Request(key, source, prompt(key), info.seconds, error=error))
        except AudioError as error:
            requests.append(Request(key, source, prompt(key), error=error))
    return requests


class _Items(torch.utils.data.Dataset):
    """Reads audio and makes features; what cannot be read comes back as its error."""

    def __init__(self, requests: Sequence[Request], front_end: FrontEnd, channel: int | str, allow_commands: bool):
        self._requests = requests
        self._front_end = front_end
        self._options = {"channel": channel, "allow_commands": allow_commands}

    def __len__(self) -> int:
        return len(self._requests)

    def __getitem__(self, index: int) -> Item | AudioError:
        request = self._requests[index]
        try:
            waveform = audio.read(request.source, start=request.start, end=request.end, **self._options)
            if len(waveform) < audio.MIN_SAMPLES:
                raise AudioError("audio-too-short", f"{len(waveform)} samples, at least {audio.MIN_SAMPLES} needed")
            return self._front_end.item(request.key, waveform, request.prompt)
        except AudioError as error:
            return error


@torch.inference_mode()
def generate(recognizer: Recognizer, items: Sequence[Item], limits: Sequence[int], beams: int = 1) -> list[list[int]]:
    """New tokens of each item, at most `limits[i]` of them, the end-of-turn token included where it was reached."""
    model, tokenizer = recognizer.model, recognizer.tokenizer
    batch = {k: v.to(model.device) for k, v in collate(items, tokenizer.pad_token_id, left=True).items()}
    embeds, _ = model.embed(batch["input_ids"], batch["input_features"], batch["input_features_mask"])
    end = recognizer.prompts.end_id
    out = model.generate(
        inputs_embeds=embeds,
        attention_mask=batch["attention_mask"],
        max_new_tokens=max(limits),
        do_sample=False,
        num_beams=beams,
        eos_token_id=end,
        pad_token_id=tokenizer.pad_token_id,
    )
    sequences = []
    for row, limit in zip(out.tolist(), limits, strict=True):
        # A row's own limit holds whatever else was in its batch.
        row = row[:limit]
        if end in row:
            row = row[: row.index(end) + 1]
        sequences.append(row)
    return sequences


def _hypothesis(recognizer: Recognizer, request: Request, tokens: list[int]) -> Hypothesis:
    ended = "eos" if tokens and tokens[-1] == recognizer.prompts.end_id else "length"
    text = recognizer.tokenizer.decode(tokens, skip_special_tokens=True)
    # Hypotheses are lines of a table: white space of any kind becomes single spaces.
    return Hypothesis(request.key, " ".join(text.split()), ended, len(tokens), request.duration)


def decode(
    recognizer: Recognizer,
    requests: Sequence[Request],
    batch_seconds: float = 240.0,
    beams: int = 1,
    limits: Limits = Limits(),
    channel: int | str = "average",
    allow_commands: bool = False,
    workers: int = 0,
    progress: bool = False,
) -> list[Hypothesis]:
    """Decode `requests` in batches of like length and at most `batch_seconds` of padded audio; the hypotheses come in
    the order of the requests."""
    results: dict[int, Hypothesis] = {}
    for index, request in enumerate(requests):
        if request.error:
            results[index] = Hypothesis(request.key, "", "error", error=str(request.error))
    order = sorted((i for i in range(len(requests)) if i not in results), key=lambda i: -requests[i].duration)
    frames = [int(r.duration * FRAMES_PER_SECOND) + 1 for r in requests]
    batches = batching.cut(order, frames, int(batch_seconds * FRAMES_PER_SECOND))
    loader = torch.utils.data.DataLoader(
        _Items(requests, FrontEnd(recognizer), channel, allow_commands),
        batch_sampler=batches,
        collate_fn=list,
        num_workers=workers,
    )
    with tqdm(total=len(order), desc="decode", unit="utt", disable=not progress) as bar:
        for batch, items in zip(batches, loader, strict=True):
            results.update(_decode_batch(recognizer, requests, batch, items, beams, limits))
            bar.update(len(batch))
    return [results[i] for i in range(len(requests))]


def _decode_batch(recognizer, requests, batch, items, beams, limits) -> Iterator[tuple[int, Hypothesis]]:
    good = [(i, item) for i, item in zip(batch, items, strict=True) if isinstance(item, Item)]
    for i, item in zip(batch, items, strict=True):
        if isinstance(item, AudioError):
            yield i, Hypothesis(requests[i].key, "", "error", duration=requests[i].duration, error=str(item))
    if good:
        allowed = [limits.tokens(requests[i].duration) for i, _ in good]
        sequences = generate(recognizer, [item for _, item in good], allowed, beams)
        for (i, _), tokens in zip(good, sequences, strict=True):
            yield i, _hypothesis(recognizer, requests[i], tokens)
