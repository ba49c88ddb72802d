"""What a mistake is: what it touched, and how a run may end because of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

# What may become of an entry: in the manifest, in the manifest with a remark in *.notes.tsv, or in the rejects.
ACCEPTED, NOTED, REJECTED = "accepted", "noted", "rejected"
ANY = frozenset({ACCEPTED, NOTED, REJECTED})
FINE = frozenset({ACCEPTED, NOTED})
WRONG = frozenset({REJECTED})
NOTICED = frozenset({REJECTED, NOTED})

RESULT, REFUSED = "result", "refused"
OUTSIDE = "snakemake"  # Snakemake's own exception, before it read the recipe
EITHER = frozenset({RESULT, REFUSED})


LIGHT = "light"  # a project with a test set alone, which trains nothing, shows the mistake as well


class NotHere(Exception):
    """The mistake cannot be made on this machine, or in this project any more."""


@dataclass(frozen=True)
class Touched:
    """An entry of a set that a mistake touched: its key, in any of several spellings, and what may become of it."""

    role: str
    keys: tuple[str, ...]
    fates: frozenset[str] = ANY


@dataclass
class Mistake:
    """One mistake that was made: its parameters, what it touched, and what an error about it may name."""

    about: dict = field(default_factory=dict)
    touched: list[Touched] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    ends: frozenset[str] = EITHER
    kind: str = ""
    whole_set: str = ""  # role of the set that it may spoil as a whole

    @property
    def keys(self) -> set[str]:
        """All spellings of all keys that it touched."""
        return {key for entry in self.touched for key in entry.keys}


@dataclass(frozen=True)
class Kind:
    """A kind of mistake: `make` gets a random number generator and what the family's mistakes are made in."""

    name: str
    family: str  # data, config or command
    form: str  # what it is made in: kaldi, segments, jsonl; file, fine; of the configuration: "" or light
    make: Callable[[random.Random, object], Mistake]


KINDS: dict[str, Kind] = {}


def kind(family: str, form: str = "", name: str = ""):
    """Register a function as a kind of mistake, called by its name."""

    def register(make: Callable) -> Callable:
        own = name or make.__name__.strip("_").replace("_", "-")
        own = f"{form if family == 'data' else family}:{own}"
        assert own not in KINDS, own
        KINDS[own] = Kind(own, family, form, make)
        return make

    return register
