"""HAProxy as deploy/haproxy has it, for replicas of this machine. Not a benchmark itself."""

from collections.abc import Iterable

from benchmarks.server import ROOT

CONFIGURATION = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
_REPLICAS = "server-template replica 32 replica:8000"
_PORT = "bind :8000"
_KEPT = "max-age 60"
_SILENT = "timeout server 30s"


def configuration(port: int, replicas: Iterable[int], kept_s: int = 60, silent_s: int = 30) -> str:
    """The file's text, but for where it listens, where its replicas are, and two times.

    Args:
        port: of 127.0.0.1, to listen on.
        replicas: the ports of 127.0.0.1 where they listen.
        kept_s: seconds for which answers are kept at most.
        silent_s: seconds for which a replica may be silent.
    """
    text = CONFIGURATION.read_text(encoding="utf-8")
    servers = "\n    ".join(f"server r{each} 127.0.0.1:{each}" for each in replicas)
    changes = {
        _REPLICAS: servers,
        _PORT: f"bind 127.0.0.1:{port}",
        _KEPT: f"max-age {kept_s}",
        _SILENT: f"timeout server {silent_s}s",
    }
    for there, wanted in changes.items():
        assert text.count(there) == 1
        text = text.replace(there, wanted)
    return text
