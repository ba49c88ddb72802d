"""How many processes read audio where `workers` is `auto`, so that a GPU need not wait; on a CPU a thread does."""

from recipe.settings.section import AUTO

MOST_WORKERS = 12


def workers_wanted(asked: int | str, on_gpu: bool, cores: int, processes: int = 1) -> int:
    """Processes that read for each of so many `processes`, which share the cores: as many as are `asked` for; "auto" is
    one a core but its own for each process with a GPU, and none without."""
    if asked != AUTO:
        return asked
    return min(MOST_WORKERS, max(1, cores // processes - 1)) if on_gpu else 0
