"""Numbers of tokens, counted by a model's tokenizer in a process of its own."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from itertools import islice

from recipe.data.workers import Worker
from recipe.files import RecipeError
from recipe.text.markup import SpecialTokens, special_among

TOKEN_BATCH = 200  # larger ones are no faster, smaller ones leave threads idle


class TokenCounter:
    """Counts tokens in a process of its own, which loads the tokenizer (half a second for the published one) while
    others check; with one worker in this process."""

    def __init__(self, tokenizer_dir: str, workers: int):
        self._dir = tokenizer_dir
        self._workers = workers
        self._counter: Callable | None = None
        self._process: Worker | None = None
        self._loading = False

    def __enter__(self) -> "TokenCounter":
        if self._workers > 1:
            self._process = Worker(self._work, lambda text: 0)
            self._process.send([])
            self._loading = True
        return self

    def __exit__(self, *_) -> None:
        if self._process:
            self._process.stop()

    def _work(self, texts: list[str]) -> list[int]:
        if self._counter is None:
            self._counter = token_counter(self._dir, self._workers)
        return self._counter(texts)

    def ready(self) -> bool:
        return not self._loading or self._process.ready()

    def count(self, texts: list[str]) -> list[int]:
        if self._process is None:
            return self._work(texts)
        if self._loading:
            self._process.receive()
            self._loading = False
        self._process.send(texts)
        return self._process.receive()


def token_counter(tokenizer_dir: str, threads: int = 1) -> Callable[[Sequence[str]], list[int]]:
    """A function that counts the tokens of texts with the tokenizer (tokenizer.json) of a model directory, as training
    sees them: special tokens in them are plain text."""
    os.environ.setdefault("RAYON_NUM_THREADS", str(threads))
    # Where the library was in use before this process was forked, its threads are gone and it would wait for them.
    forked = "tokenizers" in sys.modules and multiprocessing.parent_process() is not None
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 and not forked else "false"
    import tokenizers  # transformers takes seconds to import, and is not needed to count

    try:
        tokenizer = tokenizers.Tokenizer.from_file(f"{tokenizer_dir}/tokenizer.json")
    except Exception as error:  # noqa: BLE001 - the library raises bare Exception, with the cause as text only
        raise RecipeError(f"{tokenizer_dir}/tokenizer.json: cannot be loaded ({error})") from None

    encode = tokenizer.encode_batch_fast  # without the places of the tokens in the text
    added = tokenizer.get_added_tokens_decoder().values()
    special = SpecialTokens(special_among((token.content, token.special) for token in added))

    def count_batch(texts: Sequence[str]) -> list[int]:
        pieces = [special.pieces(text) for text in texts]
        lengths = map(len, encode([piece for parts in pieces for piece in parts], add_special_tokens=False))
        return [sum(islice(lengths, len(parts))) for parts in pieces]

    def count(texts: Sequence[str]) -> list[int]:
        batches = (texts[i : i + TOKEN_BATCH] for i in range(0, len(texts), TOKEN_BATCH))
        return [number for batch in batches for number in count_batch(batch)]

    return count
