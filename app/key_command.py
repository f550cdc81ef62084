"""python -m app key: a new key for the service, and its hash."""

import secrets
import sys

from app.api_keys import hash_key, parse_keys
from app.command_line import BriefParser

PREFIX = "nw_"
"""By which a key that was left somewhere is recognised."""
_BYTES = 32

_SAID = """The first line is the key: give it to who will use it, it is kept nowhere. The second is
its hash: put it into NAMEWRIGHT_API_KEYS, or as a line into the file NAMEWRIGHT_API_KEYS_FILE.
"""


def run(arguments: list[str]) -> int:
    """Write a key and its entry for the settings to standard output, a line each.

    Returns:
        The exit status, 0; 2 for an error, which is reported in a line.
    """
    parser = BriefParser(
        prog="python -m app key",
        description="Write a new key, and its hash as the settings have it, to standard output.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "name",
        nargs="?",
        default="",
        help="whose it is, for the log: up to 64 letters, digits, dots, dashes, underscores or @",
    )
    name = parser.parse_args(arguments).name
    key = PREFIX + secrets.token_urlsafe(_BYTES)
    entry = f"{name}{'=' if name else ''}sha256:{hash_key(key.encode()).hex()}"
    try:
        parse_keys(entry)
    except ValueError:
        parser.error("name: allowed: 1 to 64 letters, digits, dots, dashes, underscores or @")
    sys.stdout.write(f"{key}\n{entry}\n")
    sys.stderr.write(_SAID)
    return 0
