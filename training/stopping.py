"""Being asked to stop: Ctrl-C and SIGTERM end a run after its step, with nothing lost."""

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _no_one() -> None:
    """Tell no one else."""


class Stop:
    """Whether this process was asked to stop; a context in which the signals only ask.

    The first signal asks; a second one does what it always does. A signal that is
    ignored stays so.

    Args:
        pass_on: called when asked, within the signal's handler.
    """

    def __init__(self, pass_on: Callable[[], None] = _no_one) -> None:
        self._pass_on = pass_on
        self._asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Stop":
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        """Whether to stop now."""
        return self._asked

    def _ask(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._asked = True
        self._pass_on()
        for known, handler in self._before.items():
            signal.signal(known, handler)
