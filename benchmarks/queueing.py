"""How long requests wait at so many replicas, simulated; and what caches keep from them.

The model that docs/scaling.md reckons with. Requests come as a Poisson process. A replica answers
all that wait at once, and what comes meanwhile waits for the next time: so does an engine that
draws for many in one pass. A balancer gives each request to a replica by chance, as Kubernetes'
services do, or to one with the fewest under way, as HAProxy does. `replicas.py` compares it with
real replicas.

python -m benchmarks.queueing --alone-ms 5 --crowd-ms 2 [--bytes 700] [--used 0.7]

Alone, of 16 together: what a request takes, as `replicas.py` measures it.
"""

import argparse
import heapq
import json
import math
import random
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

RATES = (1_000, 100_000, 1_000_000)
REQUESTS = 400_000
"""Of a simulation, of which the first tenth is passed over: there is no one yet to wait for."""
CROWD = 16
"""Requests together of which the time is measured."""


@dataclass(frozen=True)
class Service:
    """What answers take.

    Attributes:
        each_s: seconds of each request.
        pass_s: seconds of all that are answered together, beside.
    """

    each_s: float
    pass_s: float

    @classmethod
    def measured(cls, alone_s: float, crowd_s: float) -> "Service":
        """From the seconds of a request alone, and of each of CROWD together."""
        each_s = max(0.0, (CROWD * crowd_s - alone_s) / (CROWD - 1))
        return cls(each_s, alone_s - each_s)

    @property
    def told(self) -> str:
        """What `measured` had, as the options of this module."""
        alone_s, crowd_s = self.each_s + self.pass_s, self.each_s + self.pass_s / CROWD
        return f"--alone-ms {1e3 * alone_s:.1f} --crowd-ms {1e3 * crowd_s:.2f}"


def waits(
    replicas: int,
    per_s: float,
    service: Service,
    *,
    fewest: bool,
    requests: int = REQUESTS,
    seed: int = 1,
) -> list[float]:
    """Seconds from each request to its answer.

    Args:
        replicas: >= 1.
        per_s: requests a second, at all of them together.
        service: what a replica takes.
        fewest: whether a request goes to a replica with the fewest under way; else by chance.
        requests: how many.
        seed: of all that is by chance.
    """
    chance = random.Random(seed)
    waiting: list[list[float]] = [[] for _ in range(replicas)]  # the moments when they came
    answered: list[list[float]] = [[] for _ in range(replicas)]  # of those at whose answers it is
    least = [(0, chance.random(), each) for each in range(replicas)]
    heapq.heapify(least)
    ends: list[tuple[float, int]] = []
    found = list[float]()

    def begin(replica: int, now: float) -> None:
        answered[replica], waiting[replica] = waiting[replica], []
        if count := len(answered[replica]):
            heapq.heappush(ends, (now + service.pass_s + service.each_s * count, replica))
        heapq.heappush(least, (count, chance.random(), replica))

    def choose() -> int:
        if not fewest:
            return chance.randrange(replicas)
        while True:  # entries that are true no more are dropped
            count, _, chosen = heapq.heappop(least)
            if count == len(waiting[chosen]) + len(answered[chosen]):
                return chosen

    now = 0.0
    while len(found) < requests:
        now += chance.expovariate(per_s)
        while ends and ends[0][0] <= now:
            end, replica = heapq.heappop(ends)
            found += [end - came for came in answered[replica]]
            begin(replica, end)
        chosen = choose()
        waiting[chosen].append(now)
        if answered[chosen]:
            count = len(waiting[chosen]) + len(answered[chosen])
            heapq.heappush(least, (count, chance.random(), chosen))
        else:
            begin(chosen, now)
    return found[requests // 10 :]


def percentile(values: Iterable[float], percent: int) -> float:
    """Of at least two values."""
    return statistics.quantiles(values, n=100)[percent - 1]


def zipf(count: int) -> list[float]:
    """How likely each of so many addresses is to be asked for, if the i-th is by 1/i."""
    weights = [1 / (i + 1) for i in range(count)]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def kept_share(likely: Sequence[float], per_s: float, age_s: float) -> float:
    """The share of requests that a cache answers, which keeps each answer for some seconds.

    An answer that is asked for w times a second serves w * age_s others before it is too old. The
    cache has room for all: see `kept_answers`.

    Source: Jung, Berger and Balakrishnan, "Modeling TTL-based Internet caches", INFOCOM 2003.
    """
    return math.fsum(p * (m := p * per_s * age_s) / (1 + m) for p in likely)


def kept_answers(likely: Sequence[float], per_s: float, age_s: float) -> float:
    """How many answers such a cache has at a time, on average: each from when it was asked for."""
    return math.fsum((m := p * per_s * age_s) / (1 + m) for p in likely)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alone-ms", type=float, required=True, help="of a request alone")
    parser.add_argument("--crowd-ms", type=float, required=True, help="of each of 16 together")
    parser.add_argument("--bytes", type=float, default=700, help="of an answer")
    parser.add_argument("--used", type=float, default=0.7, help="of what a replica could answer")
    parser.add_argument("--memory-mb", type=float, default=400, help="of a replica")
    parser.add_argument("--addresses", type=int, default=1_000_000, help="that are asked for")
    options = parser.parse_args()
    service = Service.measured(options.alone_ms / 1e3, options.crowd_ms / 1e3)
    likely = zipf(options.addresses)
    print(
        f"{'requests/s':>12}{'replicas':>10}{'GB':>8}{'Gbit/s':>8}{'p99 by chance':>15}"
        f"{'fewest':>10}{'one lost':>10}{'kept 60 s':>11}{'answers':>10}{'a day':>7}"
    )
    results = {}
    for per_s in RATES:
        replicas = math.ceil(round(per_s * options.crowd_ms / 1e3 / options.used, 6))
        p99_ms = {
            name: 1e3 * percentile(waits(count, per_s, service, fewest=fewest), 99)
            for name, count, fewest in (
                ("chance", replicas, False),
                ("fewest", replicas, True),
                ("lost", max(1, replicas - 1), True),
            )
        }
        row = results[str(per_s)] = {
            "replicas": replicas,
            "memory_gb": replicas * options.memory_mb / 1e3,
            "gbit_per_s": per_s * options.bytes * 8 / 1e9,
            "kept_60_s": kept_share(likely, per_s, 60),
            "answers_60_s": kept_answers(likely, per_s, 60),
            "kept_a_day": kept_share(likely, per_s, 86_400),
        } | {f"p99_{name}_ms": value for name, value in p99_ms.items()}
        print(
            f"{per_s:>12,}{replicas:>10,}{row['memory_gb']:>8,.1f}{row['gbit_per_s']:>8.2f}"
            f"{p99_ms['chance']:>12.1f} ms{p99_ms['fewest']:>7.1f} ms{p99_ms['lost']:>7.1f} ms"
            f"{row['kept_60_s']:>11.0%}{row['answers_60_s']:>10,.0f}{row['kept_a_day']:>7.0%}",
            flush=True,
        )
    print(json.dumps({"benchmark": "queueing", "options": vars(options), "results": results}))


if __name__ == "__main__":
    main()
