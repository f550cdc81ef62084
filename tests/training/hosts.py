"""Hosts to train on: network namespaces of this machine, joined by a cable that can be pulled.

Each has an address and a loopback of its own, so that nothing reaches another but over the cable.
They need root and the `ip` of iproute2.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.training.conftest import ROOT

STORE = "10.77.0.1:29400"
"""The rendezvous, at host a."""
LIMIT_S = 300
"""For anything to come about, however busy the machine."""

_CONFIGURED = Path("/etc/netns")


@dataclass
class Host:
    """One of them.

    Attributes:
        space: its network namespace.
        address: its own.
        folder: its own disk, as it were.
        launched: by it, so far.
    """

    space: str
    address: str
    folder: Path
    launched: "list[Launched]" = field(default_factory=list)

    def launch(self, nodes: str, *options: object, restarts: int = 3) -> "Launched":
        """Start torchrun with a process of tests/training/__main__.py; its log is in the folder."""
        log = self.folder / f"{len(self.launched)}.log"
        is_host = int(STORE.startswith(f"{self.address}:"))
        conf = f"is_host={is_host},keep_alive_interval=3,last_call_timeout=10"
        command = [
            "ip", "netns", "exec", self.space, sys.executable, "-m", "torch.distributed.run",
            "--nnodes", nodes, "--nproc-per-node", "1", "--max-restarts", str(restarts),
            "--rdzv-backend", "c10d", "--rdzv-endpoint", STORE, "--rdzv-id", "run",
            "--rdzv-conf", conf, "--local-addr", self.address,
            "-m", "tests.training", "fit", "--recipe", "rnn", "--device", "cpu",
            "--data", self.folder / "names.txt", "--out", self.folder / "model", *options,
        ]  # fmt: skip
        environment = {
            **os.environ,
            "GLOO_SOCKET_IFNAME": "cable",
            "LOGLEVEL": "INFO",
            "OMP_NUM_THREADS": "1",
            "PEER_TIMEOUT_S": "20",
            "TMPDIR": str(self.folder),
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                list(map(str, command)), cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.launched.append(Launched(process, log))
        return self.launched[-1]

    def signal(self, number: signal.Signals, *spared: int) -> None:
        """Send a signal to all its processes but some."""
        for pid in map(int, _ip("netns", "pids", self.space).split()):
            if pid not in spared:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def give_up_early(self) -> None:
        """Let its TCP connections fail after some 13 seconds without an answer, not 15 minutes."""
        setting = "/proc/sys/net/ipv4/tcp_retries2"
        _ip("netns", "exec", self.space, "sh", "-c", f"echo 5 > {setting}")

    def pull_the_cable(self) -> None:
        """Cut it off: what is sent is lost, and no one is told."""
        _ip("-n", self.space, "link", "set", "cable", "down")


@dataclass
class Launched:
    """A torchrun that was started.

    Attributes:
        process: torchrun itself, not the process that trains.
        path: its log.
    """

    process: "subprocess.Popen[bytes]"
    path: Path

    @property
    def log(self) -> str:
        """What it and its process have written so far."""
        return self.path.read_text(errors="replace")

    def wait_until(self, come: Callable[[], object]) -> None:
        """Wait until something has come about, while it runs."""
        end = time.monotonic() + LIMIT_S
        while not come():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, f"not in {LIMIT_S} s:\n{self.log}"
            time.sleep(0.02)

    def wait_for(self, pattern: str) -> None:
        """Wait until the log has something."""
        self.wait_until(lambda: re.search(pattern, self.log, re.DOTALL))

    def end(self) -> int:
        """Wait for its end; the exit status."""
        return self.process.wait(LIMIT_S)


@contextmanager
def two_hosts(folder: Path) -> Iterator[list[Host]]:
    """Hosts a and b, joined; they are gone afterwards with all that runs on them.

    Raises:
        OSError: they cannot be made here.
    """
    _remove_leftovers()
    names = {letter: f"namewright-{os.getpid()}-{letter}" for letter in "ab"}
    hosts = [
        Host(space, f"10.77.0.{i}", folder / letter)
        for i, (letter, space) in enumerate(names.items(), start=1)
    ]
    try:
        for host in hosts:
            _ip("netns", "add", host.space)
            _name_hosts(host, hosts)
            host.folder.mkdir()
        a, b = names.values()
        _ip("link", "add", "cable", "netns", a, "type", "veth", "peer", "cable", "netns", b)
        for host in hosts:
            _ip("-n", host.space, "addr", "add", f"{host.address}/24", "dev", "cable")
            for device in ("lo", "cable"):
                _ip("-n", host.space, "link", "set", device, "up")
        yield hosts
    finally:
        for host in hosts:
            _remove(host.space)
            for launched in host.launched:
                launched.process.wait()


def _name_hosts(host: Host, hosts: list[Host]) -> None:
    """Its /etc/hosts; without, every connection would wait for a name server."""
    configured = _CONFIGURED / host.space
    configured.mkdir(parents=True)
    lines = ["127.0.0.1 localhost"]
    for other in hosts:
        name = other.folder.name
        lines += [f"{other.address} {name}", f"::ffff:{other.address} {name}"]
    (configured / "hosts").write_text("\n".join(lines) + "\n")


def _remove_leftovers() -> None:
    """Those of a test run that was killed."""
    for space in {*re.findall(r"namewright-\d+-[ab]", _ip("netns", "list"))}:
        if not Path("/proc", space.split("-")[1]).exists():
            _remove(space)


def _remove(space: str) -> None:
    with suppress(OSError):
        Host(space, "", Path()).signal(signal.SIGKILL)
        _ip("netns", "del", space)
    shutil.rmtree(_CONFIGURED / space, ignore_errors=True)


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
