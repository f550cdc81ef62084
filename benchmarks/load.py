"""Requests as clients send them: as fast as answers come, or as often as they please.

Not a benchmark itself.
"""

import asyncio
import json
import os
import random
import shutil
import subprocess
import time
from pathlib import Path

_SCRIPT = Path(__file__).parent / "wrk.lua"


def start_wrk(
    port: int,
    path: str,
    seconds: float,
    connections: int,
    *,
    seeded: bool = False,
    etag: str = "",
    body: str = "",
) -> "subprocess.Popen[str]":
    """Let `wrk` ask, in so many connections, each again as soon as it is answered.

    Args:
        port: of 127.0.0.1.
        path: and query, which has others already where there are seeds.
        seconds: how long.
        connections: side by side.
        seeded: whether each request has a seed that no other has, in any run.
        etag: that the caller says it knows.
        body: posted as JSON, if there is one.

    Raises:
        SystemExit: there is no wrk.
    """
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not installed; on Debian: apt-get install wrk")
    first_seed = str(time.time_ns() // 1000) if seeded else ""
    given = {
        "WRK_PATH": path, "WRK_FIRST_SEED": first_seed, "WRK_IF_NONE_MATCH": etag, "WRK_BODY": body
    }  # fmt: skip
    return subprocess.Popen(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "120s", "--latency",
         "-s", str(_SCRIPT), f"http://127.0.0.1:{port}{path}"],
        env=os.environ | {key: value for key, value in given.items() if value},
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def end_wrk(process: "subprocess.Popen[str]") -> dict[str, float]:
    """What it found: `requests`, `seconds`, `p50_ms`, `p99_ms`, `failed`."""
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"wrk ended with status {process.returncode}")
    found: dict[str, float] = json.loads(output.splitlines()[-1])
    return found


def wrk(
    port: int, path: str, seconds: float, connections: int, *, seeded: bool = False, etag: str = ""
) -> dict[str, float]:
    """As `start_wrk` and `end_wrk`; a request that fails ends the benchmark."""
    found = end_wrk(start_wrk(port, path, seconds, connections, seeded=seeded, etag=etag))
    if found["failed"]:
        raise SystemExit(f"{path}: {found['failed']:.0f} requests failed")
    return found


def open_loop(
    port: int, paths: list[str], per_s: float, connections: int = 64, seed: int = 1
) -> list[float]:
    """Ask for each path at a moment of its own, however slow the answers are.

    Moments are those of a Poisson process, and latency counts from them: who finds no connection
    free has to wait, and that is told.

    Args:
        port: of 127.0.0.1.
        paths: and queries.
        per_s: how many of them a second, on average.
        connections: at most.
        seed: of the moments.

    Returns:
        Seconds of each, in order of the moments.
    """
    return asyncio.run(_open_loop(port, paths, per_s, connections, random.Random(seed)))


async def _open_loop(
    port: int, paths: list[str], per_s: float, connections: int, moments: random.Random
) -> list[float]:
    due: asyncio.Queue[tuple[int, float, str] | None] = asyncio.Queue()
    took = [0.0] * len(paths)

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (each := await due.get()) is not None:
            number, moment, path = each
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head[:16]:
                raise SystemExit(f"{path}: {head[:200]!r}")
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
            await reader.readexactly(int(length))
            took[number] = time.perf_counter() - moment
        writer.close()

    asking = [asyncio.create_task(ask()) for _ in range(connections)]
    moment = time.perf_counter()
    for number, path in enumerate(paths):
        moment += moments.expovariate(per_s)
        await asyncio.sleep(max(0.0, moment - time.perf_counter()))
        due.put_nowait((number, moment, path))
    for _ in asking:
        due.put_nowait(None)
    await asyncio.gather(*asking)
    return took
