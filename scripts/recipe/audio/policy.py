"""What may be done for a recording that is no local file, and what it may cost."""

from dataclasses import dataclass

from recipe.settings.data import FetchSettings

_LIMITS = FetchSettings()


@dataclass(frozen=True)
class FetchPolicy:
    """What may be done for a recording that is no local file, and what it may cost."""

    commands: bool = False  # whether those in wav.scp may run
    timeout: float = _LIMITS.timeout  # seconds for one attempt at an address, or for one command
    megabytes: float = _LIMITS.megabytes  # of 10^6 bytes, for one recording
    retries: int = _LIMITS.retries  # further attempts after a failure that may pass
    pause: float = 1.0  # seconds before the first of them, doubled each time


DEFAULT = FetchPolicy()


def policy_of(settings: FetchSettings, commands: bool = False) -> FetchPolicy:
    """The policy that a data section's `fetch` and `allow_commands` say."""
    return FetchPolicy(commands, settings.timeout, settings.megabytes, settings.retries)
