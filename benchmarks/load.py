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


def wrk(
    port: int,
    path: str,
    seconds: float,
    connections: int,
    first_seed: int | None = None,
    etag: str = "",
) -> dict[str, float]:
    """What `wrk` found: each of so many connections asks again as soon as it is answered.

    Args:
        port: of 127.0.0.1.
        path: and query, which has others already where there are seeds.
        seconds: how long.
        connections: side by side.
        first_seed: of seeds, of which no two are the same; None: without.
        etag: that the caller says it knows.

    Returns:
        `requests`, `seconds`, `p50_ms`, `p99_ms`, `failed`.
    """
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not installed")
    given = {"WRK_PATH": path, "WRK_IF_NONE_MATCH": etag}
    if first_seed is not None:
        given["WRK_FIRST_SEED"] = str(first_seed)
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--latency", "-s", str(_SCRIPT),
         f"http://127.0.0.1:{port}{path}"],
        env=os.environ | {key: value for key, value in given.items() if value},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
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
