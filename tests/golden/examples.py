"""What app/examples.json answers: requests of every operation, right ones and wrong ones.

The answers are true: tests/service/test_examples.py asks again. Of what any operation may answer,
which does not depend on the request, there is one for each status.
"""

import json
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from app.openapi import EXAMPLES as PATH
from tests.service.conftest import exchange

SERVED = {"MODELS": "bigram,gru-ngram"}
"""Settings of the service that answers."""
REQUEST_ID = "b05fae5f2f0e4b8e"
"""That of all requests; so the ids of completions are the same each time too."""
VARYING = {"created", "device", "python", "torch", "version"}
"""Members of answers that depend on the time or the machine."""
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Asked:
    """A request of an operation; `body` is JSON, or text as it stands."""

    operation: str
    method: str
    target: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def answer(self, client: httpx.Client) -> dict[str, Any]:
        """Ask; the entry in examples.json."""
        sent = self.body if isinstance(self.body, str | None) else json.dumps(self.body)
        given = {"X-Request-ID": REQUEST_ID} | (JSON if sent else {}) | self.headers
        response = client.request(self.method, self.target, content=sent, headers=given)
        media_type = response.headers["content-type"].partition(";")[0]
        text = media_type not in ("application/json", "application/problem+json")
        return {
            "request": " ".join([self.method, self.target, *_lines(self.headers)]),
            "body": None if isinstance(self.body, str) else self.body,
            "status": response.status_code,
            "media_type": media_type,
            "answer": response.text if text else response.json(),
        }


def _lines(headers: dict[str, str]) -> list[str]:
    return [f"({name}: {value})" for name, value in headers.items()]


def _wrong(operation: str, target: str, **queries: str) -> list[Asked]:
    """GET requests with these queries, and one that is not UTF-8."""
    asked = [Asked(operation, "GET", f"{target}?{query}") for query in queries.values()]
    return [*asked, Asked(operation, "GET", f"{target}?%FF")]


def _wrong_bodies(operation: str, target: str, *bodies: dict[str, Any]) -> list[Asked]:
    """POST requests with these bodies, and such as are no JSON, too large, or called otherwise."""
    return [
        *[Asked(operation, "POST", target, body) for body in bodies],
        Asked(operation, "POST", target, "{"),
        Asked(operation, "POST", target, " " * 131_073),
        Asked(operation, "POST", target, "{}", {"Content-Type": "text/plain"}),
    ]


NOBODY, OTHER = "model=nobody", "fingerprint=0123456789abcdef"
NOBODY_BODY, OTHER_BODY = {"model": "nobody"}, {"fingerprint": "0123456789abcdef"}
NOT_JSON = {"Accept": "image/png"}
EM = {"model": "gru-ngram", "prompt": "em", "n": 2, "seed": 42}

REQUESTS = [
    Asked("generate", "GET", "/generate?n=5&seed=42"),
    Asked("generate", "GET", "/generate?n=2&seed=42&scores=true&prefix=ma&max_length=6"),
    *[
        Asked("generate", "GET", f"/generate?n=2&seed=42&format={name}")
        for name in ("jsonl", "text", "csv")
    ],
    Asked("generate", "GET", "/generate", headers=NOT_JSON),
    Asked("generate", "GET", "/generate?n=0&tempratur=2"),
    *_wrong("generate", "/generate", a=NOBODY, b=OTHER, c="prefix=Emma"),
    Asked("generate_many", "POST", "/generate", {"n": 3, "seed": 42, "temperature": 0.8}),
    *[
        Asked("generate_many", "POST", "/generate", {"n": 2, "seed": 42, "format": name})
        for name in ("jsonl", "text", "csv")
    ],
    Asked("generate_many", "POST", "/generate", {}, NOT_JSON),
    *_wrong_bodies("generate_many", "/generate", NOBODY_BODY, OTHER_BODY, {"n": "3"}),
    Asked("stream", "GET", "/generate/stream?n=2&seed=42"),
    Asked("stream", "GET", "/generate/stream?n=2&seed=42&format=sse"),
    *_wrong("stream", "/generate/stream", a=NOBODY, b=OTHER, c="n=1000001"),
    Asked("name", "GET", "/names/customer/4711"),
    *_wrong("name", "/names/customer/4711", a=NOBODY, b=OTHER, c="min_length=9&max_length=8"),
    Asked("compare", "GET", "/compare?seed=7&n=3"),
    *_wrong("compare", "/compare", a="models=nobody", b="models=bigram,bigram"),
    Asked("score", "GET", "/score?word=emma"),
    *_wrong("score", "/score", a=f"word=emma&{NOBODY}", b=f"word=emma&{OTHER}", c="word=Emma"),
    Asked("score_many", "POST", "/score", {"words": ["emma", "zx"], "model": "bigram"}),
    *_wrong_bodies(
        "score_many",
        "/score",
        {"words": ["emma"]} | NOBODY_BODY,
        {"words": ["emma"]} | OTHER_BODY,
        {"words": []},
    ),
    Asked("next", "GET", "/next?prefix=em&top=3"),
    *_wrong("next", "/next", a=NOBODY, b=OTHER, c="top=0"),
    Asked("models", "GET", "/models"),
    *_wrong("models", "/models", a="verbose=1"),
    Asked("model", "GET", "/models/bigram"),
    Asked("model", "GET", "/models/nobody"),
    *_wrong("model", "/models/bigram", a="verbose=1"),
    Asked("plots", "GET", "/models/bigram/plots"),
    Asked("plots", "GET", "/models/nobody/plots"),
    *_wrong("plots", "/models/bigram/plots", a="size=large"),
    Asked("plot", "GET", "/models/bigram/plots/loss.svg"),
    *_wrong("plot", "/models/bigram/plots/nll.svg", a="size=large"),
    Asked("completions", "POST", "/v1/completions", EM),
    Asked("completions", "POST", "/v1/completions", EM | {"n": 1, "stream": True}),
    *_wrong_bodies("completions", "/v1/completions", NOBODY_BODY, {"temperature": 11}),
    Asked("openai_models", "GET", "/v1/models"),
    *_wrong("openai_models", "/v1/models", a="verbose=1"),
    Asked("openai_model", "GET", "/v1/models/bigram"),
    Asked("openai_model", "GET", "/v1/models/nobody"),
    *_wrong("openai_model", "/v1/models/bigram", a="verbose=1"),
    *[
        asked
        for name in ("livez", "readyz", "version")
        for asked in (Asked(name, "GET", f"/{name}"), *_wrong(name, f"/{name}", a="verbose=1"))
    ],
    *_wrong("metrics", "/metrics", a="verbose=1"),
]


@dataclass(frozen=True)
class Refused:
    """A request that any operation might be sent, and the settings of a service to refuse it.

    `padding` is in place of `~`, and is not shown; `unfinished` is a body that is promised;
    `again` asks twice.
    """

    asked: Asked
    settings: dict[str, object] = field(default_factory=dict)
    padding: int = 0
    unfinished: bool = False
    again: bool = False

    def answer(self, client: httpx.Client) -> dict[str, Any]:
        """Ask; the entry in examples.json."""
        if self.unfinished:
            return self._answer_unfinished(client)
        if self.again:
            self.asked.answer(client)
        padding = "~" * self.padding
        target = self.asked.target.replace("~", padding)
        headers = {name: each.replace("~", padding) for name, each in self.asked.headers.items()}
        found = replace(self.asked, target=target, headers=headers).answer(client)
        shown = " ".join([self.asked.method, self.asked.target, *_lines(self.asked.headers)])
        return found | {"request": shown.replace("~", "…")}

    def _answer_unfinished(self, client: httpx.Client) -> dict[str, Any]:
        head = f"{self.asked.method} {self.asked.target} HTTP/1.1\r\nHost: test\r\n"
        head += f"X-Request-ID: {REQUEST_ID}\r\nContent-Length: 2\r\n\r\n{{"
        raw = exchange(client.base_url.port or 0, head.encode())
        answer = json.loads(raw.partition(b"\r\n\r\n")[2])
        return {
            "request": f"{self.asked.method} {self.asked.target}, its body cut off",
            "body": None,
            "status": answer["status"],
            "media_type": "application/problem+json",
            "answer": answer,
        }


REFUSED = {
    401: Refused(Asked("generate", "GET", "/generate?seed=42"), {"API_KEYS": f"sha256:{'0' * 64}"}),
    408: Refused(Asked("score_many", "POST", "/score"), {"RECEIVE_TIMEOUT_S": 10}, unfinished=True),
    414: Refused(Asked("generate", "GET", "/generate?prefix=~"), padding=8192),
    429: Refused(
        Asked("generate", "GET", "/generate?seed=42"), {"RATE_LIMIT": "1/hour"}, again=True
    ),
    431: Refused(Asked("livez", "GET", "/livez", headers={"X-Long": "~"}), padding=16384),
    503: Refused(
        Asked("compare", "GET", "/compare?seed=7&models=bigram,gru-ngram"), {"QUEUE_SIZE": 1}
    ),
    504: Refused(
        Asked("generate", "GET", "/generate?n=1000&seed=42&min_length=15"), {"DEADLINE_S": 0.1}
    ),
}
"""By status."""


def asked_of(client: httpx.Client) -> dict[str, list[dict[str, Any]]]:
    """All answers, by operation."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in REQUESTS:
        found.setdefault(each.operation, []).append(each.answer(client))
    return found


def write(found: dict[str, Any]) -> None:
    """Keep them."""
    PATH.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
