"""Requests damaged at random, and what their answers must be."""

import random
import re

from tests.service.conftest import PROBLEM_LIMIT_BYTES

GET = b"GET /livez HTTP/1.1\r\nHost: test\r\n"
LAST = GET + b"Connection: close\r\n\r\n"
POST = b"POST /score HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
WORDS = b'{"words": ["emma"], "model": "bigram"}'
SOUND = (
    b"GET /generate?n=3&seed=emma&prefix=ma HTTP/1.1\r\nHost: test\r\nAccept: text/csv\r\n\r\n",
    POST + b"Content-Length: %d\r\n\r\n" % len(WORDS) + WORDS,
    POST + b"Transfer-Encoding: chunked\r\n\r\n10\r\n" + WORDS[:16] + b"\r\n"
    b"16\r\n" + WORDS[16:] + b"\r\n0\r\nT: x\r\n\r\n",
    GET + b"Connection: keep-alive\r\nIf-None-Match: *\r\nRange: bytes=0-1\r\n\r\n" + LAST,
)
TOKENS = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"%", b"%00", b"\xff", b"0\r\n\r\n", b"HTTP/1.1",
    b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: x\r\n", b"?&=",
    b"A" * 9000,
)  # fmt: skip
ANSWER = re.compile(rb"HTTP/1\.1 (?=\d{3} )")


def mutations(seed: int, count: int) -> list[bytes]:
    """So many of them, with every byte in turn."""
    generator = random.Random(seed)
    return [mutate(generator, number % 256) for number in range(count)]


def mutate(generator: random.Random, byte: int) -> bytes:
    """A request with one byte put in the place of another, and up to three changes more."""
    sent = bytearray(generator.choice(SOUND))
    sent[generator.randrange(len(sent))] = byte
    for _ in range(generator.randint(0, 3)):
        at = generator.randrange(len(sent) or 1)
        match generator.randrange(4):
            case 0:
                del sent[at : at + generator.randint(1, 8)]
            case 1:
                sent[at:at] = generator.choice(TOKENS)
            case 2:
                sent[at:at] = sent[at : at + generator.randint(1, 40)]
            case 3:
                del sent[at + 1 :]
    return bytes(sent)


def assert_harmless(sent: bytes, received: bytes) -> None:
    """Check that there is an answer, that none is an error of the service's, and none too long."""
    assert ANSWER.match(received), (sent, received)
    for answer in ANSWER.split(received)[1:]:
        assert answer[:1] in b"234", (sent, received)
        length = len(answer.partition(b"\r\n\r\n")[2])
        # What is left of a path may be that of the page, which is larger.
        assert answer[:1] != b"4" or length <= PROBLEM_LIMIT_BYTES, (sent, received)
