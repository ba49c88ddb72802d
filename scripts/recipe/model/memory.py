"""Memory that ran out, in whatever words the libraries say so."""

import torch

# Of RuntimeErrors: the CPU's allocator, CUDA and its libraries, and a reading process that the system has killed.
_WORDS = (
    "can't allocate memory",
    "not enough memory",
    "CUDA error: out of memory",
    "CUDA out of memory",
    "STATUS_ALLOC_FAILED",
    "killed by signal: Killed",
)


def ran_out(error: BaseException) -> bool:
    """Whether an error says that there is no more memory, of the machine or of its GPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)
