"""Several processes that fit one model on one batch, as torchrun starts them.

Every process takes its share of a batch; gradients are summed, so that a step is
that of one process with the whole batch, within rounding. One all-reduce a step
carries the gradients, the loss and whether anyone was asked to stop.

Source: Li et al. 2020, https://arxiv.org/abs/2006.15704, without its buckets: at
a million parameters there is nothing to overlap.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """The processes that work together; alone, all of this does nothing.

    Attributes:
        rank: of this process, 0 to size - 1; rank 0 reports and saves.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    def sum_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor, of any shape and one dtype, by its sum over all processes."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        start = 0
        for tensor in tensors:
            tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()

    def from_first(self, value: float, device: torch.device) -> float:
        """The value that rank 0 has."""
        if self.size == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=device)
        dist.broadcast(shared, src=0)
        return float(shared)


@contextmanager
def joined(device: str) -> Iterator[Group]:
    """This process's group: that of torchrun's environment, else itself alone.

    Args:
        device: `cuda` talks over nccl, one GPU a process; `cpu` over gloo.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group()
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield Group(dist.get_rank(), size)
    finally:
        dist.destroy_process_group()
