"""A client that sends bytes as they are, and looks at every answer: no 5xx, no odd shape."""

import http.client
import json
import time
from collections import Counter
from typing import Any

import httpx

from tests.service.conftest import JSON, PROBLEM_LIMIT_BYTES, assert_problem

_FULLY = 200
"""Problems that are compared member by member; of all others size, type and status are."""


class Asker:
    """Asks one service, on one connection for as long as the service keeps it.

    Attributes:
        statuses: how often each was answered.
        slowest_s: the longest that an answer took.
    """

    def __init__(self, port: int) -> None:
        self.statuses: Counter[int] = Counter()
        self.slowest_s = 0.0
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def get(self, target: str) -> tuple[int, Any]:
        """GET a path and query, percent-encoded already; the status, and the answer's JSON."""
        return self._ask("GET", target, None)

    def post(self, target: str, body: bytes) -> tuple[int, Any]:
        """POST a body as JSON, be it JSON or not."""
        return self._ask("POST", target, body)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(self, method: str, target: str, body: bytes | None) -> tuple[int, Any]:
        started = time.perf_counter()
        self._connection.request(method, target, body, JSON if body is not None else {})
        response = self._connection.getresponse()
        content = response.read()
        self.slowest_s = max(self.slowest_s, time.perf_counter() - started)
        self.statuses[response.status] += 1
        asked = f"{method} {target[:300]} {(body or b'')[:300]!r}"
        assert response.status < 500, f"{asked}: {response.status} {content[:500]!r}"
        if response.status == 200:
            return 200, json.loads(content)
        return response.status, self._problem(response, content, asked)

    def _problem(self, response: http.client.HTTPResponse, content: bytes, asked: str) -> Any:
        assert response.status >= 400, asked
        assert response.headers["Content-Type"] == "application/problem+json", asked
        assert len(content) <= PROBLEM_LIMIT_BYTES, asked
        problem = json.loads(content)
        assert problem["status"] == response.status, asked
        if self.statuses[response.status] <= _FULLY:
            errors = problem["errors"]
            named = errors[0]["parameter"] if errors else None
            whole = httpx.Response(response.status, headers=response.getheaders(), content=content)
            assert_problem(whole, response.status, named)
        return problem
