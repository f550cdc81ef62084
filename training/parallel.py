"""Several processes that fit one model on one batch, as torchrun starts them.

Every process takes its share of a batch; gradients are summed, so that a step is
that of one process with the whole batch, within rounding. One all-reduce a step
carries the gradients, the loss and whether anyone was asked to stop.

They may be on several hosts, of which any can go at any time: no wait is longer than
TIMEOUT, and it ends with LostProcessError, after which torchrun begins again with
those that are left.

Source: Li et al. 2020, https://arxiv.org/abs/2006.15704, without its buckets: at
a million parameters there is nothing to overlap.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from models.errors import ConfigError, NamewrightError

TIMEOUT = timedelta(minutes=2)
"""For which a process waits for another that does not answer: a host without power says nothing.

The slowest host may be so much later than the fastest with what all do, an evaluation say.
"""

_RENDEZVOUS = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")

Value = TypeVar("Value")


class LostProcessError(NamewrightError, ConnectionError):
    """Another process of the group has ended, or has not answered for TIMEOUT."""


@dataclass(frozen=True)
class Group:
    """The processes that work together; alone, all of this does nothing.

    Attributes:
        rank: of this process, 0 to size - 1; rank 0 reports and saves.
        size: how many there are.
        local_rank: among those of this host; 0 keeps the run's state on its disk.

    Raises:
        LostProcessError: from every method.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    def sum_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor, of any shape and one dtype, by its sum over all processes."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        with _losses():
            dist.all_reduce(flat)
        start = 0
        for tensor in tensors:
            tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()

    def gather(self, value: Value) -> list[Value]:
        """The values of all, by rank; anything that can be pickled."""
        if self.size == 1:
            return [value]
        values = [value] * self.size
        with _losses():
            dist.all_gather_object(values, value)
        return values

    def from_rank(self, rank: int, value: Value) -> Value:
        """The value that this rank has; anything that can be pickled."""
        if self.size == 1:
            return value
        values = [value]
        with _losses():
            dist.broadcast_object_list(values, src=rank)
        return values[0]


@contextmanager
def joined(device: str) -> Iterator[Group]:
    """This process's group: that of torchrun's environment, else itself alone.

    Args:
        device: `cuda` talks over nccl, one GPU a process; `cpu` over gloo.

    Raises:
        ConfigError: the environment has a part of what torchrun sets, or there are more processes
            on this host than GPUs.
        LostProcessError: the others do not come.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield Group()
        return
    if missing := [name for name in _RENDEZVOUS if not os.environ.get(name)]:
        raise ConfigError(
            f"WORLD_SIZE is set, and {', '.join(missing)} not: start it by torchrun, which sets "
            "all, or unset WORLD_SIZE"
        )
    local_rank = int(os.environ["LOCAL_RANK"])
    if device == "cuda":
        if local_rank >= (count := torch.cuda.device_count()):
            raise ConfigError(
                f"a GPU for each process: there are {count} here; allowed: --nproc-per-node {count}"
            )
        torch.cuda.set_device(local_rank)
    with _losses():
        dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=TIMEOUT)
    try:
        yield Group(dist.get_rank(), dist.get_world_size(), local_rank)
    finally:
        dist.destroy_process_group()


@contextmanager
def _losses() -> Iterator[None]:
    """Name what gloo and nccl raise, a RuntimeError or one of its kinds, for what it is."""
    try:
        yield
    except RuntimeError as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise LostProcessError(f"another process has ended or does not answer: {reason}") from error
