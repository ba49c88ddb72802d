"""Text out of audio embeddings: greedy decoding over a static KV cache, and beams by transformers' own search.

The greedy loop exists because of what transformers' general one costs (measured in docs/tried.md): it allocates and
grows caches, asks after every token whether to stop, computes finished rows to the end, and reads what all prompts
begin with once a row. Here the cache is allocated once and used for batch after batch, rows that have ended leave the
batch (compaction), and one step is the same few operations on the same memory every time, so that a GPU can replay it
as a CUDA graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from transformers import LogitsProcessorList, RepetitionPenaltyLogitsProcessor

from recipe.model.batches import batch_by_size
from recipe.model.cached_lm import CachedLanguageModel, KVCache, PrefillRegion
from recipe.model.features import Item, collate
from recipe.model.network import Recognizer
from recipe.text.prompt import Example

# Lengths of the cache grow in these steps (tokens), numbers of rows on a GPU in these, so that few graphs are needed.
CACHE_LENGTH_STEP = 128
ROWS_STEP = 32
# The batch is compacted when at most this share of its rows is still going on.
COMPACTION_SHARE = 0.75
# Of the room that a batch needs, so much at most is kept because batches before it had more rows, or longer ones.
MOST_SPARE = 1.5
NO_PENALTY = 1.0  # a repetition penalty that changes nothing
# Steps from one look at which rows have ended to the next: on a GPU each waits for everything that was queued.
SYNC_INTERVAL_GPU = 8
# Padded frames that go through encoder and prefill at a time on a CPU: what a core's cache holds is read faster, while
# the steps that follow are cheaper the more rows they have.
PREFILL_FRAMES_CPU = 1000


@dataclass(frozen=True)
class Limits:
    """When the model is stopped: after `base` + `per_second` x duration tokens."""

    base: int = 16
    per_second: float = 12.0

    def tokens(self, seconds: float) -> int:
        """The most tokens of a hypothesis for so many seconds of audio."""
        return self.base + int(self.per_second * seconds)


class Generated(NamedTuple):
    """What was generated for an item."""

    tokens: list[int]  # the end-of-turn token included, where it was reached
    log_probs: list[float]  # natural, of each token after those before it, by the model itself (without a penalty)
    encoded: torch.Tensor  # encoder outputs [frames, width] of the item, on the model's device


def _round_up(number: int, step: int) -> int:
    return -(-number // step) * step


def _without_prefix(item: Item, tokens: int) -> Item:
    """The item without its first tokens."""
    example = item.example
    return replace(item, example=Example(example.input_ids[tokens:], example.labels[tokens:]))


def _micro_batches(frames: Sequence[int], max_frames: int | None) -> list[slice]:
    """Runs of rows with so many frames each, of at most `max_frames` padded frames a run; None: all in one."""
    if max_frames is None:
        return [slice(0, len(frames))]
    runs = batch_by_size(range(len(frames)), frames, max_frames)
    return [slice(run[0], run[-1] + 1) for run in runs]


def penalized(logits: torch.Tensor, said: torch.Tensor, penalty: float) -> torch.Tensor:
    """`logits` [rows, vocabulary] in 32 bits, those of tokens that a row has `said` [rows, vocabulary] made less
    likely: divided by `penalty` where they are over 0, else multiplied (Keskar et al. 2019, as in transformers)."""
    logits = logits.float()
    return torch.where(said, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def common_prefix(sequences: Sequence[Sequence[int]], stop: int) -> int:
    """Number of leading tokens that all sequences share, up to the first `stop`, and never a whole sequence."""
    shortest = min(sequences, key=len)
    for place, token in enumerate(shortest[:-1]):
        if token == stop or any(sequence[place] != token for sequence in sequences):
            return place
    return len(shortest) - 1


class _RowStates:
    """What is known of each row of a batch between two steps, on the model's device."""

    def __init__(self, rows: int, length: int, dtype: torch.dtype, device: torch.device):
        long = {"dtype": torch.long, "device": device}
        self.token = torch.zeros(rows, **long)  # the newest
        self.position = torch.zeros(rows, 1, **long)  # of the newest, for the rotary embedding
        self.limit = torch.zeros(rows, **long)
        self.ended = torch.zeros(rows, dtype=torch.bool, device=device)
        self.attention_bias = torch.zeros(rows, 1, 1, length, dtype=dtype, device=device)  # over the cache
        self.tokens = torch.zeros(rows, length, **long)  # all new ones
        self.log_probs = torch.zeros(rows, length, device=device)  # of these; only kept where they are asked for
        self.steps = torch.zeros(1, **long)  # place of the newest in `tokens`
        self.said: torch.Tensor | None = None  # [rows, vocabulary], which tokens a row has; only kept for a penalty

    def start(self, limits: Sequence[int], vocabulary: int | None) -> None:
        """A new batch with these limits; rows beyond them only round the number up. With the size of the `vocabulary`
        it is kept which tokens each row has."""
        kept = vocabulary and (len(self.ended), vocabulary)
        self.said = torch.zeros(kept, dtype=torch.bool, device=self.ended.device) if kept else None
        self.steps.zero_()
        self.ended[:] = True
        self.attention_bias[:] = -torch.inf
        self.limit[: len(limits)] = torch.tensor(limits, device=self.limit.device)

    def move_rows(self, source: torch.Tensor, target: torch.Tensor) -> None:
        """Copy rows to the places of others."""
        said = [] if self.said is None else [self.said]
        kept = (self.token, self.position, self.limit, self.ended, self.attention_bias, self.tokens, self.log_probs)
        for tensor in (*kept, *said):
            tensor[target] = tensor[source]


class Greedy:
    """Greedy decoding with a model. One object serves batch after batch and keeps its memory (and graphs).

    `static_shapes` runs every step over the whole length of the cache and rounds the number of rows, so that shapes
    repeat; `cuda_graph` (on a GPU; implies `static_shapes`) records the step once a shape and replays it. `fused` is
    for a model that does nothing but decode (see `CachedLanguageModel`). With `scored` there is more to be had than
    tokens: see `with_details`.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        cuda_graph: bool = False,
        static_shapes: bool = False,
        fused: bool = False,
        scored: bool = False,
    ):
        self._recognizer = recognizer
        self._model = recognizer.model
        self._language_model = CachedLanguageModel(recognizer.model.model.language_model, fused)
        self.end = recognizer.prompts.end_id  # the token that ends a hypothesis
        self._pad = recognizer.tokenizer.pad_token_id
        self._device = self._model.device
        self._graphs = _StepGraphs(self._step) if cuda_graph and self._device.type == "cuda" else None
        self._static_shapes = static_shapes or self._graphs is not None
        on_gpu = self._device.type == "cuda"
        self._sync_interval = SYNC_INTERVAL_GPU if on_gpu else 1
        self._prefill_frames = None if on_gpu else PREFILL_FRAMES_CPU
        self._cache: KVCache | None = None
        self._states: _RowStates | None = None
        self._penalty = NO_PENALTY
        self._scored = scored
        self._encoded: list[torch.Tensor] = []  # of the last batch, and its tokens' log-probabilities
        self._log_probs: list[list[float]] = []

    def with_details(
        self, items: Sequence[Item], limits: Sequence[int], penalty: float = NO_PENALTY
    ) -> list[Generated]:
        """As a call, with each token's probability and what the encoder made of the audio. Only of a `scored` object,
        which a sum over the vocabulary a step costs; the tokens are the same."""
        if not self._scored:
            raise ValueError("Greedy was made without `scored`")
        found = self(items, limits, penalty)
        encoded, self._encoded = self._encoded, []
        return [Generated(*one) for one in zip(found, self._log_probs, encoded, strict=True)]

    @torch.inference_mode()
    def __call__(self, items: Sequence[Item], limits: Sequence[int], penalty: float = NO_PENALTY) -> list[list[int]]:
        """New tokens of each item, at most `limits[i]` (1 or more), the end-of-turn token included where it was
        reached: those of the item alone, whatever else is in the batch (in 16 bits, sums of other shapes may round
        otherwise). `penalty` is a repetition penalty over the new tokens (see `penalized`); steps with one are not
        replayed as graphs."""
        self._penalty = penalty
        self._encoded, self._log_probs = [], [[]] * len(items)
        prompt_length, longest = max(len(item.example.input_ids) for item in items), max(limits)
        self._reserve(self._rows(len(items)), _round_up(prompt_length + longest, CACHE_LENGTH_STEP))
        self._prefill(items, limits, prompt_length)
        item_of = torch.arange(len(items))  # row -> item
        sequences: list[list[int]] = [[]] * len(items)
        for count in range(1, longest + 1):
            if count % self._sync_interval == 0 or count == longest:
                going = (~self._states.ended[: len(item_of)]).cpu()
                if count == longest:
                    going[:] = False
                if self._rows(int(going.sum())) <= COMPACTION_SHARE * self._cache.rows:
                    tokens = self._states.tokens[: len(item_of), :count].tolist()
                    log_probs = self._states.log_probs[: len(item_of), :count].tolist()
                    for row in (~going).nonzero()[:, 0].tolist():
                        sequences[item_of[row]] = self._trim(tokens[row], limits[item_of[row]])
                        self._log_probs[item_of[row]] = log_probs[row][: len(sequences[item_of[row]])]
                    if not going.any():
                        break
                    item_of = item_of[self._compact(going)]
            self._advance(prompt_length + count)
        return sequences

    def _trim(self, tokens: list[int], limit: int) -> list[int]:
        """A row's own tokens: up to its end, or to its own limit whatever else was in the batch."""
        tokens = tokens[:limit]
        return tokens[: tokens.index(self.end) + 1] if self.end in tokens else tokens

    def _rows(self, rows: int) -> int:
        return _round_up(rows, ROWS_STEP) if self._static_shapes else rows

    def _reserve(self, rows: int, length: int) -> None:
        """Take memory for a batch, new only if what is held has too few rows or is too short."""
        held = self._cache.capacity if self._cache else (0, 0)
        if rows > held[0] or length > held[1]:
            capacity = max(rows, held[0]), max(length, held[1])
            if capacity[0] * capacity[1] > MOST_SPARE * rows * length:
                # Few long rows and then many short ones: what would hold either is far more than both.
                capacity = rows, length
            self._cache = self._states = None  # freed before the larger ones are taken
            kind = self._model.dtype, self._device
            self._cache = KVCache(self._model.config.get_text_config(), *capacity, *kind)
            self._states = _RowStates(*capacity, *kind)
            if self._graphs:
                self._graphs.clear()
        self._cache.rows, self._cache.length = rows, length

    def _prefill(self, items: Sequence[Item], limits: Sequence[int], prompt_length: int) -> None:
        """Run the prompts through the model: their keys and values, which end at position `prompt_length` of the
        cache, and the first new token of each row."""
        cache = self._cache
        sequences = [item.example.input_ids for item in items]
        cache.prefix = common_prefix(sequences, self._recognizer.prompts.audio_token_id)
        cache.step_position.fill_(prompt_length)
        self._states.start(limits, None if self._penalty == NO_PENALTY else self._model.lm_head.out_features)
        if cache.prefix:
            self._prefill_prefix(sequences[0][: cache.prefix], len(items))
        for rows in _micro_batches([len(item.features) for item in items], self._prefill_frames):
            self._prefill_rows(items[rows], rows, prompt_length)
        cache.region = None

    def _prefill_prefix(self, prefix: list[int], rows: int) -> None:
        """What all rows begin with is read once."""
        self._cache.region = PrefillRegion(slice(0, rows), slice(0, len(prefix)))
        ids = torch.tensor([prefix], device=self._device)
        causal = torch.ones(len(prefix), len(prefix), dtype=torch.bool, device=self._device).tril()
        positions = torch.arange(len(prefix), device=self._device)[None]
        embeds = self._model.get_input_embeddings()(ids)
        self._language_model(embeds, positions, self._attention_bias(causal[None, None]), self._cache)
        self._states.attention_bias[:rows, 0, 0, : len(prefix)] = 0

    def _prefill_rows(self, items: Sequence[Item], rows: slice, prompt_length: int) -> None:
        """Read what follows the prefix in the prompts of some rows."""
        states, cache = self._states, self._cache
        batch = collate([_without_prefix(item, cache.prefix) for item in items], self._pad, left=True)
        batch = {name: tensor.to(self._device, non_blocking=True) for name, tensor in batch.items()}
        valid = batch["attention_mask"].bool()
        length = valid.shape[1]
        positions = cache.prefix + (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)
        causal = torch.ones(length, length, dtype=torch.bool, device=self._device).tril()
        # A padded position sees itself, because a softmax over nothing is not a number.
        itself = torch.eye(length, dtype=torch.bool, device=self._device)
        own = (causal & valid[:, None, None, :]) | itself
        seen = torch.cat([own.new_ones(len(items), 1, length, cache.prefix), own], 3)
        cache.region = PrefillRegion(rows, slice(prompt_length - length, prompt_length))
        encoded = self._model.encode(batch["input_features"], batch["input_features_mask"])
        if self._scored:
            lengths = batch["input_features_mask"].sum(1).tolist()
            self._encoded += [row[:frames] for row, frames in zip(encoded, lengths, strict=True)]
        embeds = self._model.place(batch["input_ids"], self._model.adapt(encoded, batch["input_features_mask"]))
        last = self._language_model(embeds, positions, self._attention_bias(seen), cache)
        states.attention_bias[rows, 0, 0, prompt_length - length : prompt_length] = self._attention_bias(valid)
        states.position[rows] = positions[:, -1:] + 1
        self._append_likeliest(last, rows, torch.zeros(len(items), dtype=torch.bool, device=self._device))

    def _attention_bias(self, seen: torch.Tensor) -> torch.Tensor:
        """What is added to attention's scores, in the shape of `seen`: 0 where it is true, otherwise minus infinity."""
        return torch.zeros_like(seen, dtype=self._model.dtype).masked_fill_(~seen, -torch.inf)

    def _append_likeliest(self, hidden: torch.Tensor, rows: slice, ended: torch.Tensor) -> None:
        """Append the likeliest token after the final states `hidden` [rows, hidden] to each row, and note which rows
        have ended; `ended` [rows] says which had before."""
        states = self._states
        logits = self._model.lm_head(hidden)
        if states.said is None:
            token = logits.argmax(-1)
        else:
            token = penalized(logits, states.said[rows], self._penalty).argmax(-1)
            states.said[rows].scatter_(1, token[:, None], True)
        if self._scored:
            taken = logits.gather(1, token[:, None]).float() - logits.float().logsumexp(-1, keepdim=True)
            states.log_probs[rows].index_copy_(1, states.steps, taken)
        states.tokens[rows].index_copy_(1, states.steps, token[:, None])
        states.token[rows] = token
        states.ended[rows] = ended | (token == self.end) | (states.steps + 1 >= states.limit[rows])

    def _advance(self, cache_length: int) -> None:
        """One step, after which so much of the cache's length is in use."""
        if not self._static_shapes:
            self._cache.length = cache_length
        if self._graphs and self._states.said is None:
            self._graphs.replay((self._cache.rows, self._cache.length))
        else:
            self._step()

    def _step(self) -> None:
        """Read each row's newest token and append the next one."""
        states, cache = self._states, self._cache
        rows = slice(0, cache.rows)
        states.steps += 1
        attention_bias = states.attention_bias[rows, :, :, : cache.length]
        attention_bias.index_fill_(3, cache.step_position, 0)
        embeds = self._model.get_input_embeddings()(states.token[rows, None])
        last = self._language_model(embeds, states.position[rows], attention_bias, cache)
        self._append_likeliest(last, rows, states.ended[rows])
        states.position += 1
        cache.step_position += 1

    def _compact(self, going: torch.Tensor) -> torch.Tensor:
        """Keep only the rows that are `going` on, in the first places; the place that each came from."""
        kept = int(going.sum())
        freed, moved = (~going[:kept]).nonzero()[:, 0], kept + going[kept:].nonzero()[:, 0]
        origin = torch.arange(kept)
        origin[freed] = moved
        freed, moved = freed.to(self._device), moved.to(self._device)
        self._cache.move_rows(moved, freed)
        self._states.move_rows(moved, freed)
        self._states.ended[kept:] = True
        self._cache.rows = self._rows(kept)
        return origin


class _StepGraphs:
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
def beam_search(
    recognizer: Recognizer, items: Sequence[Item], limits: Sequence[int], beams: int, penalty: float = NO_PENALTY
) -> list[list[int]]:
    """As `Greedy`, by transformers' `generate` with `beams` beams (1: its greedy search) and its repetition penalty."""
    model, tokenizer = recognizer.model, recognizer.tokenizer
    end = recognizer.prompts.end_id
    batch = {k: v.to(model.device) for k, v in collate(items, tokenizer.pad_token_id, left=True).items()}
    embeds, _ = model.embed(batch["input_ids"], batch["input_features"], batch["input_features_mask"])
    # Made by itself (5.23.0), it leaves out as many of the new tokens as a row has padding, so that batches matter.
    processors = LogitsProcessorList([] if penalty == NO_PENALTY else [RepetitionPenaltyLogitsProcessor(penalty)])
    out = model.generate(
        inputs_embeds=embeds,
        attention_mask=batch["attention_mask"],
        max_new_tokens=max(limits),
        do_sample=False,
        num_beams=beams,
        repetition_penalty=NO_PENALTY,
        logits_processor=processors,
        eos_token_id=end,
        pad_token_id=tokenizer.pad_token_id,
    )
    sequences = []
    for row, (tokens, limit) in enumerate(zip(out.tolist(), limits, strict=True)):
        tokens = tokens[: tokens.index(end) + 1] if end in tokens else tokens
        if len(tokens) > limit and beams > 1 and limit < max(limits):
            # Which beam wins depends on where the search ends: this row's search ends earlier than its batch's.
            [tokens] = beam_search(recognizer, [items[row]], [limit], beams, penalty)
        sequences.append(tokens[:limit])
    return sequences


def generate(recognizer: Recognizer, items: Sequence[Item], limits: Sequence[int], beams: int = 1) -> list[list[int]]:
    """New tokens of each item, at most `limits[i]` of them, the end-of-turn token included where it was reached."""
    return Greedy(recognizer)(items, limits) if beams == 1 else beam_search(recognizer, items, limits, beams)
