"""The decoder's memory follows what batches need, not the most rows of one times the longest of another."""

import numpy as np

from recipe.model import network
from recipe.model.features import FrontEnd
from recipe.model.generate import MOST_SPARE, Greedy


def test_few_long_rows_and_then_many_short_ones(full_model):
    recognizer = network.load(full_model)
    front_end, random = FrontEnd(recognizer), np.random.default_rng(1)

    def batch(rows, seconds):
        waves = random.standard_normal((rows, int(seconds * 16000))).astype(np.float32) * 0.1
        return [front_end.item(str(i), wave, "Speech transcription:") for i, wave in enumerate(waves)]

    long, short = batch(2, 20.0), batch(24, 0.5)
    greedy = Greedy(recognizer)
    for items, limits in ((long, [200] * 2), (short, [4] * 24), (long, [200] * 2)):
        found = greedy(items, limits)
        rows, length = greedy._cache.capacity
        needed = len(items) * (-(-(max(len(item.example.input_ids) for item in items) + max(limits)) // 128) * 128)
        assert rows * length <= MOST_SPARE * needed
        assert found == Greedy(recognizer)(items, limits)
