"""A worker does not outlive its parent, however that ends.

A parent that is killed tells its workers nothing: they would go on listening, with no one to
replace or to end them, and the next start would find the port taken.
"""

import logging
import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait

logger = logging.getLogger("uvicorn.error")


def follow_parent() -> None:
    """Have this process end in order once the one that started it has ended.

    Nothing is done in a process that was started by hand.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def follow() -> None:
        wait([sentinel])  # the parent holds the other end of a pipe, until it is no more
        logger.error("the parent process has ended; so does this one")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, name="parent", daemon=True).start()
