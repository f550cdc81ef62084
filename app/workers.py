"""Several server processes, and what becomes of one that cannot start.

uvicorn replaces a worker that has died, and ends them all when a replacement cannot start. But
what keeps one from starting may be new, a file that someone is just writing: those that serve are
then left to serve, and another try is made later. Where none serves yet, the start has failed.
"""

import logging
import time

from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

RETRY_S = 5.0
"""After a replacement that could not start, until the next."""

logger = logging.getLogger("uvicorn.error")


class Workers(Multiprocess):
    """uvicorn's supervisor, which also lives with fewer workers than it should have."""

    _retry_at_s = 0.0

    def keep_subprocess_alive(self) -> None:
        """Look after the workers; called twice a second."""
        if self.should_exit.is_set():
            return
        super().keep_subprocess_alive()
        if self.should_exit.is_set():  # one could not start
            self._go_on_without()
        missing = len(self.processes) < self.processes_num
        if missing and time.monotonic() >= self._retry_at_s and not self.should_exit.is_set():
            replacement = Process(self.config, self.sockets)
            replacement.start()
            self.processes.append(replacement)

    def _go_on_without(self) -> None:
        """Take back the decision to end, if a worker serves."""
        others = [each for each in self.processes if each.exitcode != STARTUP_FAILURE]
        if not any(each.is_ready() for each in others):
            return
        self.processes = others
        self._retry_at_s = time.monotonic() + RETRY_S
        self.should_exit.clear()
        logger.error("not so: %d serve on, and it is tried again in %g s", len(others), RETRY_S)
