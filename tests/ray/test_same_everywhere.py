"""One stream of names, however it is drawn: the same, to the last one."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from tests.ray.cluster import Cluster
from tests.service.conftest import ROOT, serving

pytestmark = pytest.mark.ray

MODEL, SEED, COUNT, PAGE = "gru-ngram", 7, 20_000, 500
LIMIT_S = 600

Drawn = dict[int, str]
"""Names by index, of the first COUNT; of an index that gives no name there is none."""


def command(*arguments: object) -> str:
    """What a command of ours says."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments), "--model", MODEL, "--seed", str(SEED)],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=LIMIT_S,
    )  # fmt: skip
    return done.stdout


def by_pages(client: httpx.Client) -> Drawn:
    """Pages of the stream that many clients ask for at once, and whoever is free answers."""

    def page(offset: int) -> Drawn:
        query = f"model={MODEL}&seed={SEED}&n={PAGE}&offset={offset}&scores=true"
        response = client.get(f"/generate?{query}")
        assert response.status_code == 200, response.text
        rows = response.json()["names"]
        return {row["index"]: row["name"] for row in rows if row["index"] < offset + PAGE}

    with ThreadPoolExecutor(8) as pool:
        pages = pool.map(page, range(0, COUNT, PAGE))
        return {index: name for drawn in pages for index, name in drawn.items()}


def by_two_workers(folder: Path) -> Drawn:
    with serving(folder / "log", MODELS=MODEL, WORKERS=2) as service:
        return by_pages(service.client)


def by_bulk(folder: Path) -> Drawn:
    out = folder / "bulk"
    command("bulk", "generate", "--count", COUNT, "--shard", 3000, "--workers", 2, "--out", out)
    table = pq.read_table(out)
    return dict(zip(table["index"].to_pylist(), table["name"].to_pylist(), strict=True))


@pytest.fixture(scope="module")
def reference() -> Drawn:
    """What one process draws."""
    lines = command("app", "generate", "-n", COUNT, "--format", "jsonl").splitlines()
    rows = [json.loads(line) for line in lines]
    drawn = {row["index"]: row["name"] for row in rows if row.get("index", COUNT) < COUNT}
    assert COUNT - 100 < len(drawn) <= COUNT
    assert len(set(drawn.values())) > COUNT / 2
    return drawn


@pytest.mark.parametrize("draw", [by_two_workers, by_bulk])
def test_workers_and_shards_draw_the_names_of_one_process(
    reference: Drawn, draw: Callable[[Path], Drawn], tmp_path: Path
) -> None:
    assert draw(tmp_path) == reference


def test_replicas_on_ray_draw_the_names_of_one_process(cluster: Cluster, reference: Drawn) -> None:
    assert by_pages(cluster.client) == reference
