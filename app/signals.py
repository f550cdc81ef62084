"""What signals mean, alike for one process alone and for the parent of several."""

import os

LAST_CALL_S = 0.25
"""After newcomers are turned away, until connections without a request are closed: those who had
just come may be about to send theirs."""


class Terminal:
    """The terminal that the service was started from, if it was."""

    def __init__(self) -> None:
        self._was = os.isatty(0)

    @property
    def closed(self) -> bool:
        """Whether there was one and is none any more: then SIGHUP comes of that."""
        return self._was and not os.isatty(0)


def status_of(number: int) -> int:
    """The exit status that shells tell of whom a signal has ended."""
    return 128 + number
