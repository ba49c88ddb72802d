"""Values that the device tells the CPU later, so that neither waits for the other."""

import torch


class Later:
    """A flag on its way from the device. Who reads it waits until the device has come to where it was made, and not
    for what was queued since."""

    def __init__(self, flag: torch.Tensor):
        """`flag` is a bool tensor of one element; its copy is queued at once."""
        self._flag = flag.to("cpu", non_blocking=True)
        self._arrived = torch.cuda.Event() if flag.is_cuda else None
        if self._arrived:
            self._arrived.record()

    def read(self) -> bool:
        """The flag."""
        if self._arrived:
            self._arrived.synchronize()
        return bool(self._flag)
