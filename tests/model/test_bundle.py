"""Batches that processes hand over: the same items, few open files, and room for them."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from recipe.files import RecipeError
from recipe.model import bundle
from recipe.model.bundle import Bundle
from recipe.model.features import FRAME_WIDTH, Item
from recipe.text.prompt import Example

WORKERS, ROWS = 4, 40


class Rows(torch.utils.data.Dataset):
    """Items of several lengths, and something else in place of every seventh."""

    def __getitem__(self, index):
        if index % 7 == 3:
            return f"nothing {index}"
        features = torch.full((1 + index % 5, FRAME_WIDTH), float(index))
        return Item(f"u{index}", features, Example([index], [-100]))


def open_files():
    return len(os.listdir("/proc/self/fd"))


def test_entries_come_as_they_were_with_a_file_a_batch():
    batches = [list(range(first, first + ROWS)) for first in range(0, 10 * ROWS, ROWS)]
    loader = torch.utils.data.DataLoader(Rows(), batch_sampler=batches, collate_fn=Bundle, num_workers=WORKERS)
    before, found = open_files(), list(loader)
    assert open_files() - before < 2 * len(batches) + 10 * WORKERS < 10 * ROWS
    for batch, bundled in zip(batches, found, strict=True):
        for index, entry in zip(batch, bundled.entries(), strict=True):
            wanted = Rows()[index]
            if isinstance(wanted, str):
                assert entry == wanted
            else:
                assert (entry.key, entry.example) == (wanted.key, wanted.example)
                assert torch.equal(entry.features, wanted.features)


@pytest.mark.parametrize("entries", [[], ["nothing"]])
def test_a_bundle_without_items(entries):
    assert Bundle(entries).entries() == entries


class TestRoom:
    @pytest.fixture(autouse=True)
    def container(self, monkeypatch):
        """One with Docker's usual 64 MB."""
        monkeypatch.setattr(bundle.os, "statvfs", lambda path: SimpleNamespace(f_bavail=16384, f_frsize=4096))

    def test_what_has_no_room_is_refused_with_what_to_do(self):
        frames = int(np.ceil(2400 / 0.06))
        with pytest.raises(RecipeError, match=r"/dev/shm has 67 MB free; what 12 .* 2150 MB .*--shm-size"):
            bundle.workers_for(12, frames, True)
        with pytest.raises(RecipeError, match=r"what 2 processes"):
            bundle.workers_for(1, frames // 4, True, 2)

    def test_what_has_room_is_not(self):
        assert bundle.workers_for(0, 10**9, True) == 0
        assert bundle.workers_for(2, 2000, False) == 2
        assert bundle.workers_for(16, 0, False) == 16, "nothing to hand over has room"

    def test_auto_takes_what_there_is_room_for(self, monkeypatch, caplog):
        monkeypatch.setattr(bundle, "usable_processors", lambda: 16)
        assert bundle.workers_for("auto", 5000, True) == 2 and "auto is 2 and not 12" in caplog.text
        assert bundle.workers_for("auto", 10**9, True) == 0

    def test_nor_is_anything_where_nobody_knows(self, monkeypatch):
        def missing(path):
            raise FileNotFoundError(path)

        monkeypatch.setattr(bundle.os, "statvfs", missing)
        assert bundle.workers_for(12, 10**9, True) == 12


@pytest.mark.parametrize(
    ("cores", "processes", "workers"), [(1, 1, 1), (2, 1, 1), (8, 1, 7), (16, 1, 12), (64, 8, 7), (4, 8, 1)]
)
def test_auto_leaves_each_gpu_a_core(cores, processes, workers, monkeypatch):
    monkeypatch.setattr(bundle, "usable_processors", lambda: cores)
    assert bundle.workers_for("auto", 100, True, processes) == workers
    assert bundle.workers_for("auto", 100, False, processes) == 0
