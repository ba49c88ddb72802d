"""What a failed test leaves at work is ended."""

import large
import pytest


@pytest.fixture(autouse=True)
def ends():
    yield
    while large.Started.running:
        large.Started.running.pop().stop()
