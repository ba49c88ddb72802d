"""Processes that work through chunks in order, with one chunk each in memory.

Made for work that starts at once and may crash: a forked process costs milliseconds where concurrent.futures costs a
tenth of a second to import, and a chunk whose process is killed by a signal (a decoder that a damaged file drives into
a fault) is worked through again item by item, to find and give up that one.
"""

import marshal
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from recipe.files import RecipeError

Work = Callable[[list], list]  # plain values in and out, one result an item


def map_chunks(work: Work, chunks: Iterable[list], workers: int, crashed: Callable[[Any], Any]) -> Iterator[list]:
    """`work` of each chunk, in order. With one worker it is done here; `crashed` makes the result of an item that
    ended its process."""
    if workers <= 1:
        yield from map(work, chunks)
        return
    idle = deque(Worker(work, crashed) for _ in range(workers))
    busy: deque[Worker] = deque()
    everyone = list(idle)
    try:
        for chunk in chunks:
            result = None
            if idle:
                worker = idle.popleft()
            else:
                worker = busy.popleft()
                result = worker.receive()
            worker.send(chunk)
            busy.append(worker)
            if result is not None:
                yield result
        while busy:
            yield busy.popleft().receive()
    finally:
        for worker in everyone:
            worker.stop()


class Worker:
    """A process that does `work` on one chunk at a time."""

    def __init__(self, work: Work, crashed: Callable[[Any], Any]):
        self._work = work
        self._crashed = crashed
        self._chunk: list = []
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._work), daemon=True)
        self._process.start()
        theirs.close()

    def send(self, chunk: list) -> None:
        self._chunk = chunk
        self._pipe.send_bytes(marshal.dumps(chunk))

    def ready(self) -> bool:
        """Whether `receive` would not wait."""
        return self._pipe.poll()

    def receive(self) -> list:
        try:
            return self._result()
        except EOFError:
            self._died()
            return self._one_by_one()

    def _result(self) -> list:
        result = marshal.loads(self._pipe.recv_bytes())
        if isinstance(result, str):
            raise RecipeError(result)
        return result

    def _died(self) -> None:
        """Start again after a death by signal; an exception of ours (its traceback was printed) ends the run."""
        self._process.join()
        if self._process.exitcode >= 0:
            raise RuntimeError(f"a worker process ended with exit status {self._process.exitcode}")
        self._pipe.close()
        self._start()

    def _one_by_one(self) -> list:
        results = []
        for item in self._chunk:
            self._pipe.send_bytes(marshal.dumps([item]))
            try:
                results += self._result()
            except EOFError:
                self._died()
                results.append(self._crashed(item))
        return results

    def stop(self) -> None:
        # Closing would not do: workers forked later hold our end of this pipe as well.
        with suppress(OSError):
            self._pipe.send_bytes(b"")
        deadline = time.monotonic() + 5
        while self._process.is_alive() and time.monotonic() < deadline:
            # A result that nobody waits for any more would keep it from ending.
            with suppress(OSError, EOFError):
                if self._pipe.poll(0.05):
                    self._pipe.recv_bytes()
        self._process.join(0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(pipe, work: Work) -> None:
    while True:
        try:
            message = pipe.recv_bytes()
        except EOFError:  # the main process is gone
            return
        if not message:
            return
        try:
            result = work(marshal.loads(message))
        except RecipeError as error:
            result = str(error)
        pipe.send_bytes(marshal.dumps(result))
