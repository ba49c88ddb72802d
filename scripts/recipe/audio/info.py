"""What is known of a recording before it is decoded, or why it cannot be used. Imports no numpy: see `headers`."""

from dataclasses import dataclass


class AudioError(Exception):
    """A recording that cannot be used: `reason` is one of a few fixed words, `detail` says what was found."""

    def __init__(self, reason: str, detail: str):
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"

    def named(self, place: str) -> "AudioError":
        """The error of a recording that is called `place`."""
        return self if place in self.detail else AudioError(self.reason, f"{place}: {self.detail}")


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a recording's header says."""

    samples: int  # per channel, at `rate`
    rate: int  # Hz
    channels: int
    incomplete: str | None = None  # of a recording that lacks its end: what is missing; `samples` is what is there

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


RATES = range(100, 1_000_001)  # Hz; what lies outside is a damaged header


def lacking(stated: int, found: int) -> str:
    """The words for a recording whose header states other bytes of audio than there are."""
    return f"the header says {stated} bytes of audio, the file has {max(0, found)}"


def truncated(stated: int, found: int) -> AudioError:
    """The error of a recording of which nothing is there."""
    return AudioError("audio-truncated", lacking(stated, found))


def lossy_tolerance(samples: int) -> int:
    """Samples that the header of a lossy format may state too many or too few, of so many: an encoder's delay."""
    return max(4800, samples // 50)
