"""HAProxy as deploy/haproxy has it, for replicas of this machine. Not a benchmark itself."""

from collections.abc import Iterable

from benchmarks.server import ROOT

CONFIGURATION = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
_REPLICAS = "server-template replica 32 replica:8000"
_PORT = "bind :8000"


def configuration(port: int, replicas: Iterable[int]) -> str:
    """The file's text, but for where it listens and where its replicas are.

    Args:
        port: of 127.0.0.1, to listen on.
        replicas: the ports of 127.0.0.1 where they listen.
    """
    text = CONFIGURATION.read_text(encoding="utf-8")
    assert _REPLICAS in text
    assert _PORT in text
    servers = "\n    ".join(f"server r{each} 127.0.0.1:{each}" for each in replicas)
    return text.replace(_REPLICAS, servers).replace(_PORT, f"bind 127.0.0.1:{port}")
