"""Makes the protocol of each connection."""

from typing import Any

from starlette.types import ASGIApp

from app.admission import Admission
from app.limits import Limits
from app.protocol import LimitedProtocol
from app.sweeper import Sweeper


class ProtocolFactory:
    """uvicorn's `http` option.

    Args:
        limits: for all connections.
        admission: likewise.
    """

    def __init__(self, limits: Limits, admission: Admission) -> None:
        self._limits = limits
        self._admission = admission
        self._sweeper = Sweeper(limits.period_s)
        self._app: ASGIApp | None = None

    def __call__(self, **options: Any) -> LimitedProtocol:
        """As uvicorn calls a protocol's class."""
        if self._app is None:
            self._app = self._admission.counting(options["config"].loaded_app)
        both = self._limits, self._admission
        return LimitedProtocol(*both, self._sweeper, self._app, **options)
