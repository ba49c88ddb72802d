"""What a GPU can do, by the name that its driver gives."""

import pytest
import torch

from recipe.train import flops


@pytest.mark.parametrize(
    ("name", "tflops"),
    [
        ("NVIDIA H200", 989), ("NVIDIA H20", 148), ("NVIDIA H100 80GB HBM3", 989), ("NVIDIA GH200 480GB", 989),
        ("NVIDIA A100-SXM4-40GB", 312), ("NVIDIA A800-SXM4-80GB", 312), ("NVIDIA A10", 125), ("NVIDIA A10G", 70),
        ("NVIDIA L4", 121), ("NVIDIA L40", 181), ("NVIDIA L40S", 362), ("NVIDIA GeForce RTX 4090 D", 165),
        ("NVIDIA RTX 6000 Ada Generation", 364), ("Tesla T4", None), ("NVIDIA H2000", None),
    ],
)  # fmt: skip
def test_names_are_found_by_whole_words(name, tflops, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert flops.peak_flops(torch.device("cuda")) == (tflops and tflops * 1e12)


def test_a_cpu_has_no_peak():
    assert flops.peak_flops(torch.device("cpu")) is None
