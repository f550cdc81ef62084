"""Other checkpoints for a service that is in use, without a restart.

All that the settings name is read and verified beside what is served. Only when every checkpoint
is in order do requests that come from then on get the new models; those under way keep theirs.
Else all stays as it was, and the log says why.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import State

from app.catalog import Catalog, load_catalog
from app.metrics import Metrics
from app.settings import Settings
from models.errors import NamewrightError

logger = logging.getLogger("uvicorn.error")


class Reloader:
    """Exchanges what an application serves.

    Args:
        settings: the service's; they do not change.
        state: the application's, with its `catalog` and its `engine`.
        metrics: that are told.
    """

    def __init__(self, settings: Settings, state: State, metrics: Metrics) -> None:
        self._settings = settings
        self._state = state
        self._metrics = metrics
        self._asked = asyncio.Event()
        self._device: str | None = None  # as the settings say

    def ask(self) -> None:
        """Have all loaded again, once more if that is being done just now; on the event loop."""
        self._asked.set()

    def lose_device(self) -> None:
        """CUDA has stopped working: go on by the CPU, if the settings leave that open."""
        if self._settings.device == "auto" and self._device is None:
            self._device = "cpu"
            logger.error("CUDA is lost: the models are loaded again, to be served by the CPU")
            self.ask()

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[None]:
        """Within, what was asked for is done."""
        loop = asyncio.get_running_loop()
        self._state.engine.on_lost = lambda: loop.call_soon_threadsafe(self.lose_device)
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()

    async def _run(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._reload()

    async def _reload(self) -> None:
        before: Catalog = self._state.catalog
        try:
            catalog = await asyncio.to_thread(load_catalog, self._settings, before, self._device)
        except NamewrightError as error:
            logger.error("not reloaded, the models of before serve on: %s", error)
            self._metrics.reloaded("failed")
            return
        except Exception:  # no memory, say; what serves must serve on
            logger.exception("not reloaded, the models of before serve on")
            self._metrics.reloaded("failed")
            return
        self._state.engine.exchange(catalog.models.values())
        self._state.catalog = catalog
        self._metrics.describe(catalog)
        self._metrics.reloaded("done")
        logger.info("reloaded: %s", _difference(before, catalog))


def _difference(before: Catalog, now: Catalog) -> str:
    """What has changed, in words."""
    changed = [name for name, served in now.models.items() if before.models.get(name) != served]
    gone = [name for name in before.models if name not in now.models]
    told = [
        f"new or changed: {', '.join(changed)}" if changed else "",
        f"gone: {', '.join(gone)}" if gone else "",
    ]
    return "; ".join(part for part in told if part) or "nothing has changed"
