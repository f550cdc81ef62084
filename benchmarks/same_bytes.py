"""That a seed gives the same bytes, whatever the server is and does.

Servers are started again and again: with 1 and 2 workers, with no memory for what is kept,
with little, and with the default. Each is asked for every seed by 256 clients at once while it
is cold, and by 64 when it is warm; the first one also alone, one request after the other.

python -m benchmarks.same_bytes [--seeds 1000] [--restarts 3]
"""

import argparse
import asyncio
import hashlib
import json
import time
from itertools import product

import httpx

from benchmarks.machine import describe_machine
from benchmarks.server import serving

MODELS = ("bigram", "lstm", "transformer", "korean-gpt", "mixture", "gru-ngram")
KINDS = ("", "&scores=true", "&temperature=0.8&top_k=10", "&top_p=0.9", "&min_p=0.01&offset=99999")


def path(model: str, seed: int) -> str:
    """A request of its own kind for each seed."""
    length = "&max_length=12" if model == "korean-gpt" else ""
    return f"/generate?model={model}&seed={seed}&n={1 + seed % 5}{KINDS[seed % len(KINDS)]}{length}"


async def ask(url: str, paths: list[str], clients: int) -> dict[str, str]:
    """The sha256 of every answer."""
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=0)
    waiting, found = iter(paths), {}
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=300) as client:

        async def one_client() -> None:
            for wanted in waiting:  # shared: each is asked for once
                response = await client.get(wanted)
                while response.status_code == 503:  # the queue is full
                    await asyncio.sleep(0.2)
                    response = await client.get(wanted)
                response.raise_for_status()
                found[wanted] = hashlib.sha256(response.content).hexdigest()

        await asyncio.gather(*(one_client() for _ in range(clients)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--restarts", type=int, default=3)
    options = parser.parse_args()
    machine = describe_machine()
    print(machine)
    paths = [path(model, seed) for seed in range(options.seeds) for model in MODELS]
    expected: dict[str, str] = {}
    asked = different = 0
    started = time.monotonic()
    for restart, workers, tree_mb in product(range(options.restarts), (1, 2), (0, 8, 64)):
        environment = {"WORKERS": workers, "TREE_MEMORY_MB": tree_mb, "MODELS": ",".join(MODELS)}
        with serving(**environment) as server:
            url = f"http://127.0.0.1:{server.port}"
            server.first_answer("/livez")
            if not expected:
                expected = asyncio.run(ask(url, paths, 1))
            for clients in (256, 64):
                found = asyncio.run(ask(url, paths, clients))
                asked += len(found)
                different += sum(found[one] != expected[one] for one in paths)
        print(
            f"restart {restart}, {workers} workers, {tree_mb:>2} MiB: {asked:,} answers compared, "
            f"{different} differ; {time.monotonic() - started:.0f} s",
            flush=True,
        )
    print(
        json.dumps(
            {
                "benchmark": "same_bytes", "machine": machine, "seeds": options.seeds,
                "models": MODELS, "compared": asked, "different": different,
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
