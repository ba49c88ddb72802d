"""How many processes read audio where `workers` is `auto`, so that a GPU need not wait; on a CPU a thread does."""

MOST_WORKERS = 12


def auto_workers(cores: int, processes: int = 1) -> int:
    """Processes that read for each of so many `processes` with a GPU, which share the cores: one a core but its own."""
    return min(MOST_WORKERS, max(1, cores // processes - 1))
