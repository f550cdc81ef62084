"""The processes that do the work, by Dask: those of this machine, or of a cluster.

A worker that dies takes nothing with it but what it had begun: the scheduler gives that to
another one. Only so many shards are under way at a time, so memory does not depend on how
many there are.
"""

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, Security, as_completed
from distributed.comm.addressing import parse_address, parse_host_port
from distributed.comm.core import CommClosedError
from distributed.utils import silence_logging_cmgr

from bulk.errors import ShardError
from bulk.shards import Shard
from models.errors import ParameterError

_UNDER_WAY = 4096
"""Shards that the scheduler knows of: more than workers do at once, some kilobytes each."""
_SILENT = logging.CRITICAL
"""What goes wrong is told once, by the command."""
_CONFIG = {
    # A task of each thread at a time, none in reserve: when a worker is killed again and again,
    # what has not begun must not be taken for the cause.
    "distributed.scheduler.worker-saturation": 1.0,
    # Samples stacks all the time, for a dashboard that is not there.
    "distributed.worker.profile.enabled": False,
    # Dask would have malloc give back memory above 64 KiB at once, and ask for it again with each
    # array: as much work as half of the drawing. Threads: a worker has one.
    "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1},
}


@contextmanager
def local_workers(count: int) -> Iterator[Client]:
    """So many processes on this machine, each of one thread.

    Raises:
        ShardError: they cannot be started.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        # Ctrl-C reaches all of a terminal's processes. Workers inherit that it is blocked: this
        # process ends them.
        with dask.config.set(_CONFIG):
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                memory_limit=0,  # what a worker needs does not grow
                dashboard_address=None,
                silence_logs=_SILENT,
            )
    except RuntimeError as error:  # Dask's, of whatever it was
        raise ShardError(f"{count} workers cannot be started: {error}") from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    with cluster, Client(cluster) as client, _told_of_deaths():
        yield client


@contextmanager
def _told_of_deaths() -> Iterator[None]:
    """Within, a worker that dies and is replaced is told on standard error."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("workers: %(message)s"))
    logger = logging.getLogger("distributed.nanny")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def cluster_at(address: str) -> Iterator[Client]:
    """The workers of a scheduler that is running, as soon as there are any.

    Raises:
        ParameterError: it is no address, or one of TLS, and Dask has not been told the keys.
        OSError: there is no scheduler.
    """
    _check_address(address)
    with silence_logging_cmgr(_SILENT), Client(address) as client:
        if not client.scheduler_info()["workers"]:
            sys.stderr.write(f"{address} has no workers; waiting for some\n")
        yield client


def _check_address(address: str) -> None:
    """Before there is a client: one that fails half made leaves threads and locks behind."""
    scheme, place = parse_address(address)
    try:
        parse_host_port(place)
    except ValueError as error:
        raise ParameterError("scheduler", f"is no address: {error}") from error
    if scheme == "tls" and not Security().get_connection_args("client")["ssl_context"]:
        raise ParameterError(
            "scheduler", "is one of TLS, and Dask is not told of keys: distributed.comm.tls"
        )


def complete(
    client: Client, task: Callable[..., Any], calls: Iterator[tuple[Shard, tuple[Any, ...]]]
) -> Iterator[tuple[Shard, Any]]:
    """Call a task for each shard with the arguments that belong to it.

    Yields:
        A shard and what the task returned, as they come.

    Raises:
        ShardError: a task has failed, or the workers that tried it died; it names the shard.
    """
    due: dict[Future[Any], Shard] = {}

    def submit(count: int) -> list[Future[Any]]:
        begun = {
            client.submit(task, *arguments, pure=False): shard
            for shard, arguments in islice(calls, count)
        }
        due.update(begun)
        return list(begun)

    under_way = as_completed(submit(_UNDER_WAY))
    for future in under_way:
        shard = due.pop(future)
        if future.cancelled():  # no one here cancels any
            raise ShardError(f"{shard}: the scheduler has gone away")
        try:
            if (error := future.exception()) is not None:
                raise ShardError(f"{shard}: {_told(error)}") from error
            result = future.result()
        except CommClosedError as error:
            raise ShardError(f"{shard}: the scheduler has gone away") from error
        yield shard, result
        future.release()
        under_way.update(submit(1))


def _told(error: BaseException) -> str:
    if isinstance(error, ShardError):
        return str(error)
    if isinstance(error, KilledWorker):
        return f"{error.allowed_failures + 1} workers have died while they were at it"
    return f"{type(error).__name__}: {error}"
