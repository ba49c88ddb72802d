"""Forward and backward pass recorded once for each shape of batches, and replayed: CUDA graphs.

A replay is one call, whatever the number of operations in it, so that a GPU no longer waits for the CPU to name them.
What it reads and writes lies always at the same place: batches are copied to where the recorded one lay, and gradients
stay where they are from step to step. Random numbers go on as if each operation had been called: a replay draws from
the device's generator, whose state is part of a checkpoint. On a CPU the same is done by calling the step again.

All shapes are recorded before the first step, the largest first, in memory that they share (they never run at once):
what does not fit or cannot be recorded is known then. Nothing is recorded in that case, and training goes on without.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from recipe.train.ladder import Shape

logger = logging.getLogger(__name__)

Batch = dict[str, Any]
# A forward and backward pass with a batch whose sum of losses is divided by a number: the loss, without its graph.
Step = Callable[[Batch, torch.Tensor | float], torch.Tensor]
_MOMENTS = 8  # bytes that AdamW keeps of a weight


class Recorded:
    """Steps with batches of some shapes, recorded when this is made; `blank` makes an empty batch of a shape.
    `parameters` are those that are trained, and keep their gradients here from then on."""

    def __init__(
        self,
        step: Step,
        parameters: Sequence[torch.nn.Parameter],
        shapes: Sequence[Shape],
        blank: Callable[[Shape], Batch],
        keeps_moments: bool,
    ):
        self._step = step
        self._parameters = list(parameters)
        self._device = self._parameters[0].device
        self._gradients = [torch.zeros_like(one) for one in self._parameters]
        self._divisor = torch.ones((), device=self._device)
        self._replays: dict[tuple, Callable[[], torch.Tensor]] = {}
        self._places: dict[str, torch.Tensor] = {}
        self._strangers = 0
        self._record(sorted(shapes, key=lambda shape: -shape.rows * shape.frames), blank, keeps_moments)

    def __call__(self, batch: Batch, divisor: float) -> torch.Tensor:
        """The loss of a batch; its gradients are added to those of the optimizer's step."""
        self._take_gradients()
        replay = self._replays.get(_key(batch))
        if replay is None:
            if self._replays:
                self._strangers += 1
                if self._strangers & (self._strangers - 1) == 0:  # 1, 2, 4, 8 ...
                    logger.warning("cuda_graphs: %d batches so far of a shape that is not recorded", self._strangers)
            return self._step(batch, divisor)
        self._put(batch)
        self._divisor.fill_(divisor)
        return replay().clone()

    def _record(self, shapes: Sequence[Shape], blank: Callable[[Shape], Batch], keeps_moments: bool) -> None:
        kind = _Graphs(self._device) if self._device.type == "cuda" else _Calls()
        sizes: dict[str, int] = {}
        try:
            for shape in shapes:
                for name, value in _tensors(blank(shape)):
                    sizes[name] = max(sizes.get(name, 0), value.numel())
            for name, value in _tensors(blank(shapes[0])):
                self._places[name] = torch.zeros(sizes[name], dtype=value.dtype, device=self._device)
            self._take_gradients()
            with kind.as_it_was():
                for shape in shapes:
                    batch = blank(shape)
                    self._replays[_key(batch)] = kind.recorded(self._recordable(self._put(batch)))
            if not keeps_moments:
                kind.check_room(_MOMENTS * sum(one.numel() for one in self._parameters))
        except RuntimeError as error:  # torch's own kinds, out of memory among them
            self._replays.clear()
            self._places.clear()
            kind.release()
            first: BaseException = error  # what comes of it, as the recording ends, says less
            while first.__context__:
                first = first.__context__
            logger.warning(
                "cuda_graphs: a training step cannot be recorded, so it runs without graphs (%s)",
                str(first).strip().partition("\n")[0],
            )
        else:
            logger.info("cuda_graphs: %d shapes of batches are recorded%s", len(shapes), kind.about)
        torch._foreach_zero_(self._gradients)

    def _recordable(self, batch: Batch) -> Callable[[], torch.Tensor]:
        return lambda: self._step(batch, self._divisor)

    def _put(self, batch: Batch) -> Batch:
        """Copy a batch to where those of its shape lie; the same batch, lying there."""
        found = dict(batch)
        for name, value in _tensors(batch):
            found[name] = self._places[name][: value.numel()].view(value.shape)
            found[name].copy_(value, non_blocking=True)
        return found

    def _take_gradients(self) -> None:
        """Give the parameters their gradients, zeroed, where the optimizer's step is over and has taken them away."""
        if self._parameters[0].grad is None:
            torch._foreach_zero_(self._gradients)
            for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
                parameter.grad = gradient


def _tensors(batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
    return ((name, value) for name, value in batch.items() if torch.is_tensor(value))


def _key(batch: Batch) -> tuple:
    return (*((name, value.shape) for name, value in sorted(_tensors(batch))), batch["is_padded"])


class _Calls:
    """Where there are no graphs: a replay is a call."""

    about = " (a CPU has no graphs: they are computed as always)"

    def recorded(self, step: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
        return step

    def as_it_was(self) -> contextlib.AbstractContextManager:
        return contextlib.nullcontext()

    def check_room(self, size: int) -> None:
        pass

    def release(self) -> None:
        pass


class _Graphs:
    """CUDA graphs over one pool of memory."""

    def __init__(self, device: torch.device):
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()
        self._before = torch.cuda.memory_reserved(device)

    @property
    def about(self) -> str:
        return f", in {(torch.cuda.memory_reserved(self._device) - self._before) / 2**30:.1f} GiB"

    def recorded(self, step: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
        """Run the step once, since libraries set themselves up in their first call and compilers in that of a shape,
        and record it the second time."""
        current, graph = torch.cuda.current_stream(self._device), torch.cuda.CUDAGraph()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            step()
        current.wait_stream(self._stream)
        # The outer context: a recording that fails leaves its stream the current one. Threads that pin batches call
        # CUDA meanwhile, so that only calls of this one are watched.
        with (
            torch.cuda.stream(current),
            torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"),
        ):
            loss = step()

        def replay() -> torch.Tensor:
            graph.replay()
            return loss

        return replay

    @contextlib.contextmanager
    def as_it_was(self) -> Iterator[None]:
        """A context that leaves the device's generator as it found it, also where a recording is not ended."""
        state = torch.cuda.get_rng_state(self._device)
        try:
            yield
        except RuntimeError:
            fresh = torch.Generator(self._device)
            fresh.set_state(state)
            torch.cuda.default_generators[self._device.index].graphsafe_set_state(fresh.graphsafe_get_state())
            raise
        torch.cuda.set_rng_state(state, self._device)

    def check_room(self, size: int) -> None:
        """RuntimeError if not so many bytes are left."""
        torch.cuda.empty_cache()
        free = torch.cuda.mem_get_info(self._device)[0]
        if free < size:
            raise RuntimeError(f"the optimizer needs {size / 1e9:.1f} GB beside them, and {free / 1e9:.1f} GB are free")

    def release(self) -> None:
        torch.cuda.synchronize(self._device)
        torch.cuda.empty_cache()
