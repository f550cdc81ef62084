"""Requests whose exact answers are known.

The service itself is asked, at rest: one request at a time, on one connection, before its tree
is grown. So what it answers under load, with others' rows beside, from distributions that
were kept, after restarts, is compared with what it answers alone. In process the bodies could
only be had by the same code again; that names are right at all is for other tests.
"""

import http.client
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import NamedTuple

_SCORED = ("emma", "olivia", "zzyzx", "andrejq", "q", "maximilian", "annabella", "xu")


@dataclass(frozen=True, slots=True)
class Question:
    """A request, and its answer.

    Attributes:
        path: with its query.
        sent: all of the request's bytes.
        body: of its 200, to the byte; None: any.
        others: that are right as well, while what is served changes.
    """

    path: str
    sent: bytes
    body: bytes | None = None
    others: tuple[bytes, ...] = ()

    def accepts(self, body: bytes) -> bool:
        """Whether that of a 200 is right."""
        return self.body is None or body == self.body or body in self.others


class Known(NamedTuple):
    """Questions with their answers.

    Attributes:
        distinct: twenty names each, of the default model.
        mixed: of all kinds that are quick.
    """

    distinct: list[Question]
    mixed: list[Question]


def get(path: str) -> bytes:
    """The bytes of a request."""
    return f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode()


def distinct(number: int) -> list[str]:
    """Twenty names each, of seeds of their own."""
    return [f"/generate?n=20&seed={seed}" for seed in range(number)]


def mixed(number: int) -> list[str]:
    """Names of several models and kinds, scores, names for keys: all distinct but the scores."""
    return list(islice(_mixture(), number))


def _mixture() -> Iterator[str]:
    for index in count():
        yield f"/generate?n=20&seed={index}"
        yield f"/generate?n=20&seed=s{index}&temperature=0.8"
        yield f"/names/customer/{index}"
        yield f"/score?word={_SCORED[index % len(_SCORED)]}"
        yield f"/generate?n=20&seed={index}&prefix=ma"
        yield f"/generate?n=20&seed={index}&offset=40"
        yield f"/generate?n=20&seed={index}&model=bigram"
        yield f"/score?word={_SCORED[index % len(_SCORED)]}&model=gru"
        yield f"/generate?n=5&seed={index}&model=gru"
        yield f"/names/{index}?model=ngram"


def ask(port: int, paths: Iterable[str]) -> list[Question]:
    """The questions of some paths, with the answers of a service that has nothing else to do."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        return [Question(path, get(path), _body(connection, path)) for path in paths]
    finally:
        connection.close()


def _body(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.putrequest("GET", path, skip_accept_encoding=True)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200, (path, response.status, body[:200])
    return body
