"""Ray with the service on it, as `serve run` starts it, in processes of a session of their own."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from tests.service.conftest import KEEPALIVE_S, ROOT, free_port

START_LIMIT_S = 240
END_LIMIT_S = 60
REPLICA = "ray::ServeReplica:namewright:Names"
CONFIG = ROOT / "deploy" / "ray_serve.yaml"

_VARIABLE = re.compile(r'^(\w+)="?([^"\n]*)"?$', re.MULTILINE)


@dataclass(frozen=True)
class Replica:
    """One that takes requests.

    Attributes:
        pid: of its process.
        port: of 127.0.0.1, where HAProxy finds it.
    """

    pid: int
    port: int


@dataclass(frozen=True)
class Cluster:
    """Ray, with the service deployed.

    Attributes:
        process: `serve run`, which leads the session of all others.
        port: where HAProxy listens on 127.0.0.1.
        stats_port: where it tells of itself.
        client: an HTTP client of it.
        log: what all have written to the terminal.
    """

    process: "subprocess.Popen[bytes]"
    port: int
    stats_port: int
    client: httpx.Client
    log: Path

    @property
    def replicas(self) -> list[Replica]:
        """Those that take requests, by port."""
        found = []
        for process in session(self.process.pid):
            with suppress(psutil.Error):
                # Some threads of Ray listen as well, elsewhere.
                ports = [
                    each.laddr.port
                    for each in process.net_connections("tcp4")
                    if each.status == psutil.CONN_LISTEN and each.laddr.port in range(30000, 31000)
                ]
                if ports and process.cmdline()[0].startswith(REPLICA):
                    found.append(Replica(process.pid, ports[0]))
        return sorted(found, key=lambda each: each.port)

    def await_replicas(self, number: int, without: int = 0) -> list[Replica]:
        """Wait until there are so many, none of which is of the process `without`."""
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            replicas = [each for each in self.replicas if each.pid != without]
            if len(replicas) == number == self._passed_to():
                return replicas
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, f"{replicas}\n{self.log.read_text()}"
            time.sleep(0.2)

    def client_of(self, replica: Replica) -> httpx.Client:
        """A client that passes HAProxy by."""
        return client_at(replica.port)

    def _passed_to(self) -> int:
        """How many replicas HAProxy passes requests on to."""
        with suppress(httpx.TransportError), client_at(self.stats_port) as client:
            rows = [row.split(",") for row in client.get("/stats;csv").text.splitlines()]
            status = rows[0].index("status")
            return sum("SERVE_REPLICA" in row[1] and row[status] == "UP" for row in rows[1:])
        return 0


def variables() -> dict[str, str]:
    """Those of deploy/ray.env."""
    return dict(_VARIABLE.findall((ROOT / "deploy" / "ray.env").read_text(encoding="utf-8")))


def client_at(port: int) -> httpx.Client:
    """A client of a port of 127.0.0.1."""
    limits = httpx.Limits(keepalive_expiry=KEEPALIVE_S)
    url = f"http://127.0.0.1:{port}"
    return httpx.Client(base_url=url, timeout=60, trust_env=False, limits=limits)


def launch(
    folder: Path, port: int, stats_port: int, deployment: dict[str, Any], **settings: object
) -> "subprocess.Popen[bytes]":
    """Start `serve run deploy/ray_serve.yaml` with deploy/ray.env.

    Args:
        folder: of all that it writes; its path must be short.
        port: for HAProxy.
        stats_port: likewise.
        deployment: in place of the file's `autoscaling_config`.
        settings: without their NAMEWRIGHT_, small by default as of other tests; in lower case,
            variables of Ray in place of the file's.
    """
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config["http_options"]["port"] = port
    (own,) = config["applications"][0]["deployments"]
    del own["autoscaling_config"]
    own.update(deployment)
    (folder / "serve.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    given = {"TREE_MEMORY_MB": 4, "POOL_NAMES": 0, "DEADLINE_S": 60} | settings
    inherited = {name: value for name, value in os.environ.items() if "RAY_" not in name}
    haproxy = folder / "haproxy"
    environment = {
        **{name: value for name, value in inherited.items() if "NAMEWRIGHT_" not in name},
        **variables(),
        **{f"NAMEWRIGHT_{name}": str(each) for name, each in given.items() if name.isupper()},
        **{name.upper(): str(each) for name, each in given.items() if name.islower()},
        "HOME": str(folder),  # for Ray's token
        "RAY_TMPDIR": str(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(haproxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(haproxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(haproxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(haproxy / "state"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats_port),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(free_port()),
    }
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [Path(sys.executable).with_name("serve"), "run", folder / "serve.yaml"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@contextmanager
def short_folder() -> Iterator[Path]:
    """One whose path leaves room for those of Ray's sockets."""
    folder = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def deployed(number: int, deployment: dict[str, Any], **settings: object) -> Iterator[Cluster]:
    """The service on a Ray of its own, `number` replicas ready; nothing of it is left after."""
    port, stats_port = free_port(), free_port()
    with short_folder() as folder, client_at(port) as client:
        process = launch(folder, port, stats_port, deployment, **settings)
        try:
            cluster = Cluster(process, port, stats_port, client, folder / "log")
            cluster.await_replicas(number)
            yield cluster
        except BaseException:
            kill(process)
            raise
        end(process, folder / "log")


def session(leader: int) -> list[psutil.Process]:
    """The processes of a session that still run."""
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.Error):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def kill(process: "subprocess.Popen[bytes]") -> None:
    """End what is left of a session, if anything is."""
    while left := session(process.pid):
        for each in left:
            with suppress(psutil.Error):
                each.kill()
        process.poll()
        time.sleep(0.1)
    process.wait()


def end(process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Ask `serve run` to end, and see that all of Ray does."""
    process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + END_LIMIT_S
    while (left := session(process.pid)) and time.monotonic() < deadline:
        process.poll()
        time.sleep(0.1)
    names = [" ".join(each.cmdline())[:80] for each in left if each.is_running()]
    kill(process)
    assert not names, f"{names} outlived Ray\n{log.read_text()[-3000:]}"
