"""Text out of audio embeddings: greedy decoding over a static key/value cache, and beams by transformers' own search.

The greedy loop exists because of what transformers' general one costs: it allocates and grows caches, asks after every
token whether to stop, and computes finished rows to the end. Here the cache is allocated once and used for batch after
batch, rows that have ended leave the batch, and one step is the same few operations on the same memory every time, so
that a GPU can replay it as a CUDA graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from recipe.model import batches
from recipe.model.cached_lm import CachedLanguageModel, StaticCache
from recipe.model.features import Item, collate
from recipe.model.network import Recognizer
from recipe.text.prompt import Example

# Widths of the cache grow in these steps (tokens), numbers of rows on a GPU in these, so that few graphs are needed.
COLUMNS_STEP = 128
ROWS_STEP = 32
# Rows are moved together when at most this share of them is still going on.
SHRINK = 0.75
# Steps between two looks at which rows have ended: on a GPU each look waits for everything that was queued.
LOOK_GPU = 8
# Padded frames that go through encoder and prompt at a time on a CPU: what a core's cache holds is read faster, while
# the steps that follow are cheaper the more rows they have.
FILL_FRAMES_CPU = 1000


@dataclass(frozen=True)
class Limits:
    """When the model is stopped: after `base` + `per_second` x duration tokens."""

    base: int = 16
    per_second: float = 12.0

    def tokens(self, seconds: float) -> int:
        return self.base + int(self.per_second * seconds)


def _round_up(number: int, step: int) -> int:
    return -(-number // step) * step


def _without(item: Item, tokens: int) -> Item:
    """The item without its first tokens."""
    example = item.example
    return replace(item, example=Example(example.input_ids[tokens:], example.labels[tokens:]))


def _runs(frames: Sequence[int], budget: int | None) -> list[tuple[int, int]]:
    """Cut items into runs (start, stop) of at most `budget` padded frames, in their order; None: all in one."""
    if budget is None:
        return [(0, len(frames))]
    runs = batches.cut(range(len(frames)), frames, budget)
    return [(run[0], run[-1] + 1) for run in runs]


def common_prefix(sequences: Sequence[Sequence[int]], stop: int) -> int:
    """Number of leading tokens that all sequences share, up to the first `stop`, and never a whole sequence."""
    shortest = min(sequences, key=len)
    for place, token in enumerate(shortest[:-1]):
        if token == stop or any(sequence[place] != token for sequence in sequences):
            return place
    return len(shortest) - 1


class Greedy:
    """Greedy decoding with a model. One object serves batch after batch and keeps its memory (and graphs).

    `static` runs every step over the whole width of the cache and rounds the number of rows, so that shapes repeat;
    `cuda_graph` (on a GPU; implies `static`) records the step once a shape and replays it. `joint` is for a model that
    does nothing but decode (see `cached_lm`).
    """

    def __init__(self, recognizer: Recognizer, cuda_graph: bool = False, static: bool = False, joint: bool = False):
        self._recognizer = recognizer
        self._model = recognizer.model
        self._language_model = CachedLanguageModel(recognizer.model.model.language_model, joint)
        self.end = recognizer.prompts.end_id  # the token that ends a hypothesis
        self._pad = recognizer.tokenizer.pad_token_id
        self._device = self._model.device
        self._graphs = _Graphs(self._step) if cuda_graph and self._device.type == "cuda" else None
        self._static = static or self._graphs is not None
        on_gpu = self._device.type == "cuda"
        self._look = LOOK_GPU if on_gpu else 1
        self._fill_frames = None if on_gpu else FILL_FRAMES_CPU
        self._cache: StaticCache | None = None
        self._state: dict[str, torch.Tensor] = {}

    @torch.inference_mode()
    def __call__(self, items: Sequence[Item], limits: Sequence[int]) -> list[list[int]]:
        """New tokens of each item, at most `limits[i]`, the end-of-turn token included where it was reached."""
        width, longest = max(len(item.example.input_ids) for item in items), max(limits)
        self._reserve(self._rows(len(items)), _round_up(width + longest, COLUMNS_STEP), longest)
        self._read_prompts(items, limits, width)
        origin = torch.arange(len(items))  # row -> item
        sequences: list[list[int]] = [[]] * len(items)
        for done in range(1, longest + 1):
            if done % self._look == 0 or done == longest:
                going = (~self._state["done"][: len(origin)]).cpu()
                if done == longest:
                    going[:] = False
                if self._rows(int(going.sum())) <= SHRINK * self._cache.rows:
                    tokens = self._state["tokens"][: len(origin), :done].tolist()
                    for row in (~going).nonzero()[:, 0].tolist():
                        sequences[origin[row]] = self._cut(tokens[row], limits[origin[row]])
                    if not going.any():
                        break
                    origin = origin[self._shrink(going)]
            self._advance(width + done)
        return sequences

    def _cut(self, tokens: list[int], limit: int) -> list[int]:
        """A row's own tokens: up to its end, or to its own limit whatever else was in the batch."""
        tokens = tokens[:limit]
        return tokens[: tokens.index(self.end) + 1] if self.end in tokens else tokens

    def _rows(self, rows: int) -> int:
        return _round_up(rows, ROWS_STEP) if self._static else rows

    def _reserve(self, rows: int, columns: int, tokens: int) -> None:
        """Take memory for a batch, new only if it is larger than any before."""
        held = self._cache.capacity if self._cache else (0, 0)
        if rows > held[0] or columns > held[1]:
            rows_held, columns_held = max(rows, held[0]), max(columns, held[1])
            self._cache = None  # freed before the larger one is taken
            config = self._model.config.get_text_config()
            self._cache = StaticCache(config, rows_held, columns_held, self._model.dtype, self._device)
            long = {"dtype": torch.long, "device": self._device}
            self._state = {
                "token": torch.zeros(rows_held, **long),
                "position": torch.zeros(rows_held, 1, **long),
                "limit": torch.zeros(rows_held, **long),
                "done": torch.zeros(rows_held, dtype=torch.bool, device=self._device),
                "mask": torch.zeros(rows_held, 1, 1, columns_held, dtype=self._model.dtype, device=self._device),
                "tokens": torch.zeros(rows_held, columns_held, **long),
                "count": torch.zeros(1, **long),
            }
            if self._graphs:
                self._graphs.clear()
        self._cache.rows, self._cache.columns = rows, columns

    def _read_prompts(self, items: Sequence[Item], limits: Sequence[int], width: int) -> None:
        """Run the prompts through the model: their keys and values, which end at column `width`, and the first token
        of each row."""
        state, cache = self._state, self._cache
        sequences = [item.example.input_ids for item in items]
        cache.prefix = common_prefix(sequences, self._recognizer.prompts.audio_token_id)
        cache.slot.fill_(width)
        state["count"].zero_()
        state["done"][:] = True  # rows that only round their number up
        state["mask"][:] = -torch.inf
        state["limit"][: len(limits)] = torch.tensor(limits, device=self._device)
        if cache.prefix:
            self._read_prefix(sequences[0][: cache.prefix], len(items))
        for start, stop in _runs([len(item.features) for item in items], self._fill_frames):
            self._read_own(items[start:stop], slice(start, stop), width)
        cache.place = None

    def _read_prefix(self, prefix: list[int], rows: int) -> None:
        """What all rows begin with is read once."""
        state, cache = self._state, self._cache
        cache.place = slice(0, rows), slice(0, len(prefix))
        ids = torch.tensor([prefix], device=self._device)
        causal = torch.ones(len(prefix), len(prefix), dtype=torch.bool, device=self._device).tril()
        positions = torch.arange(len(prefix), device=self._device)[None]
        embeds = self._model.get_input_embeddings()(ids)
        self._language_model(embeds, positions, self._added(causal[None, None]), cache)
        state["mask"][:rows, 0, 0, : len(prefix)] = 0

    def _read_own(self, items: Sequence[Item], rows: slice, width: int) -> None:
        """Read the prompts of some rows after the prefix."""
        state, cache = self._state, self._cache
        batch = collate([_without(item, cache.prefix) for item in items], self._pad, left=True)
        batch = {name: tensor.to(self._device, non_blocking=True) for name, tensor in batch.items()}
        valid = batch["attention_mask"].bool()
        length = valid.shape[1]
        positions = cache.prefix + (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)
        causal = torch.ones(length, length, dtype=torch.bool, device=self._device).tril()
        # A padded position sees itself, because a softmax over nothing is not a number.
        itself = torch.eye(length, dtype=torch.bool, device=self._device)
        own = (causal & valid[:, None, None, :]) | itself
        seen = torch.cat([own.new_ones(len(items), 1, length, cache.prefix), own], 3)
        cache.place = rows, slice(width - length, width)
        embeds, _ = self._model.embed(batch["input_ids"], batch["input_features"], batch["input_features_mask"])
        last = self._language_model(embeds, positions, self._added(seen), cache)
        state["mask"][rows, 0, 0, width - length : width] = self._added(valid)
        state["position"][rows] = positions[:, -1:] + 1
        self._choose(last, rows, torch.zeros(len(items), dtype=torch.bool, device=self._device))

    def _added(self, seen: torch.Tensor) -> torch.Tensor:
        """What is added to attention's scores: nothing where a place is seen."""
        return torch.zeros_like(seen, dtype=self._model.dtype).masked_fill_(~seen, -torch.inf)

    def _choose(self, hidden: torch.Tensor, rows: slice, done: torch.Tensor) -> None:
        """Take the likeliest token of each row, and note which rows are at their end."""
        state = self._state
        token = self._model.lm_head(hidden).argmax(-1)
        state["tokens"][rows].index_copy_(1, state["count"], token[:, None])
        state["token"][rows] = token
        state["done"][rows] = done | (token == self.end) | (state["count"] + 1 >= state["limit"][rows])

    def _advance(self, columns: int) -> None:
        """One step; `columns` of the cache will be in use."""
        if not self._static:
            self._cache.columns = columns
        if self._graphs:
            self._graphs.replay((self._cache.rows, self._cache.columns))
        else:
            self._step()

    def _step(self) -> None:
        state, cache = self._state, self._cache
        rows = slice(0, cache.rows)
        state["count"] += 1
        mask = state["mask"][rows, :, :, : cache.columns]
        mask.index_fill_(3, cache.slot, 0)
        embeds = self._model.get_input_embeddings()(state["token"][rows, None])
        last = self._language_model(embeds, state["position"][rows], mask, cache)
        self._choose(last, rows, state["done"][rows])
        state["position"] += 1
        cache.slot += 1

    def _shrink(self, going: torch.Tensor) -> torch.Tensor:
        """Keep only the rows that are `going` on, in the first places; the place that each came from."""
        kept = int(going.sum())
        freed, taken = (~going[:kept]).nonzero()[:, 0], kept + going[kept:].nonzero()[:, 0]
        origin = torch.arange(kept)
        origin[freed] = taken
        freed, taken = freed.to(self._device), taken.to(self._device)
        self._cache.move(taken, freed)
        for name, tensor in self._state.items():
            if name != "count":
                tensor[freed] = tensor[taken]
        self._state["done"][kept:] = True
        self._cache.rows = self._rows(kept)
        return origin


class _Graphs:
    """CUDA graphs of a step, one for each shape; they share memory, because only one runs at a time."""

    def __init__(self, step):
        self._step = step
        self._graphs: dict[tuple[int, int], torch.cuda.CUDAGraph] = {}

    def clear(self) -> None:
        self._graphs.clear()

    def replay(self, shape: tuple[int, int]) -> None:
        """Do one step. At a shape's first, the step itself is run, then recorded: recording executes nothing."""
        if shape in self._graphs:
            self._graphs[shape].replay()
            return
        # Kernels are chosen and workspaces taken at a first run, on a side stream as recording demands.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self._step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        pool = next(iter(self._graphs.values())).pool() if self._graphs else None
        with torch.cuda.graph(graph, pool=pool):
            self._step()
        self._graphs[shape] = graph


@torch.inference_mode()
def beam_search(recognizer: Recognizer, items: Sequence[Item], limits: Sequence[int], beams: int) -> list[list[int]]:
    """As `Greedy`, by transformers' `generate` with `beams` beams (1: its greedy search)."""
    model, tokenizer = recognizer.model, recognizer.tokenizer
    end = recognizer.prompts.end_id
    batch = {k: v.to(model.device) for k, v in collate(items, tokenizer.pad_token_id, left=True).items()}
    embeds, _ = model.embed(batch["input_ids"], batch["input_features"], batch["input_features_mask"])
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
    for row, (tokens, limit) in enumerate(zip(out.tolist(), limits, strict=True)):
        tokens = tokens[: tokens.index(end) + 1] if end in tokens else tokens
        if len(tokens) > limit and beams > 1 and limit < max(limits):
            # Which beam wins depends on where the search ends: this row's search ends earlier than its batch's.
            [tokens] = beam_search(recognizer, [items[row]], [limit], beams)
        sequences.append(tokens[:limit])
    return sequences


def generate(recognizer: Recognizer, items: Sequence[Item], limits: Sequence[int], beams: int = 1) -> list[list[int]]:
    """New tokens of each item, at most `limits[i]` of them, the end-of-turn token included where it was reached."""
    return Greedy(recognizer)(items, limits) if beams == 1 else beam_search(recognizer, items, limits, beams)
