"""The keys that open the service as it runs: those of its settings, and of a file as it is now.

The file is compared as a whole: one of 1,000 keys is 80 KB, and no clock of a file system can
hide a change of it.
"""

import hmac
import logging
import time
from pathlib import Path

from app.api_keys import ApiKey, hash_key, parse_file, parse_keys
from app.settings import Settings
from app.startup import StartupError

_MOST_BYTES = 1 << 20
_AGE_S = 1.0
"""After which the file is looked at again, by the next request."""

logger = logging.getLogger("uvicorn.error")


class KeyRing:
    """The keys of the settings, and those of a file, as it is now.

    Args:
        keys: of the settings.
        file: None if there is none. Until `load` none of its keys is known.
    """

    def __init__(self, keys: tuple[ApiKey, ...], file: Path | None = None) -> None:
        self._fixed = keys
        self._file = file
        self._of_file: tuple[ApiKey, ...] = ()
        self._content: bytes | None = None
        self._fault = ""
        self._checked_s = 0.0

    def load(self) -> None:
        """Read the file, if there is one.

        Raises:
            StartupError: it cannot be read, or holds something else than keys, or none.
        """
        if self._file is None:
            return
        try:
            self._read(self._file)
        except ValueError as error:
            raise StartupError(f"NAMEWRIGHT_API_KEYS_FILE: {error}") from error
        self._checked_s = time.monotonic()

    def find(self, given: bytes) -> ApiKey | None:
        """The key that this is, if it is one.

        Its hash is compared with every known one, in constant time, so how long that takes says
        nothing of them. The file is read again if a second has passed.
        """
        self._refresh()
        digest = hash_key(given)
        found = None
        for key in (*self._fixed, *self._of_file):
            if hmac.compare_digest(key.digest, digest):  # and on: each is compared
                found = key
        return found

    def _refresh(self) -> None:
        now = time.monotonic()
        if self._file is None or now - self._checked_s < _AGE_S:
            return
        self._checked_s = now
        fault = ""
        try:
            if self._read(self._file):
                logger.info("%s is read again: %d keys", self._file, len(self._of_file))
        except ValueError as error:
            fault = str(error)
        if fault and fault != self._fault:
            logger.error("%s; the keys that it had stay", fault)
        self._fault = fault

    def _read(self, path: Path) -> bool:
        """Take the file's keys; returns whether it has changed.

        Raises:
            ValueError: it is not in order, and nothing was taken.
        """
        try:
            if path.exists() and not path.is_file():  # a pipe would be waited for
                raise ValueError(f"{path}: is no regular file")
            with path.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
        if content == self._content:
            return False
        if len(content) > _MOST_BYTES:
            raise ValueError(f"{path}: is larger than {_MOST_BYTES} bytes")
        try:
            self._of_file = parse_file(content.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: is not UTF-8") from error
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        self._content = content
        return True


def ring_of(settings: Settings) -> KeyRing | None:
    """The keys of the settings, those of the file not yet read; None if anyone may come in."""
    if not settings.api_keys and not settings.api_keys_file:
        return None
    file = Path(settings.api_keys_file) if settings.api_keys_file else None
    return KeyRing(parse_keys(settings.api_keys), file)
