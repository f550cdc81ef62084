"""More requests than the queue holds, and the end of the process, on a real server."""

import json
import os
import signal
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from tests.service.conftest import STOP_LIMIT_S, Serve, Service, assert_problem, members
from tests.service.leaving import leave_under_way

LONG = "/generate?model=transformer&seed=42&n=1000"
SHORT = "/score?word=emma&model=bigram"

# A request that is never finished, and the longest answer there is.
HEAD = b"POST /score HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: "
WORDS = json.dumps({"words": ["a" * 64] * 1000, "model": "bigram"}).encode()


def begin_long(service: Service, pool: ThreadPoolExecutor) -> "Future[httpx.Response]":
    """Send LONG to a service with a queue of one; returns once it is seen to be under way."""
    for _ in range(100):
        answer = pool.submit(service.client.get, LONG)
        while not answer.done():
            # A refusal of the probe while LONG has no answer: it is LONG that has the place.
            if service.client.get(SHORT).status_code == 503 and not answer.done():
                return answer
    raise AssertionError("LONG was never seen under way")


def test_a_full_queue_refuses_politely_and_recovers(serve: Serve) -> None:
    with serve(QUEUE_SIZE=1) as service, ThreadPoolExecutor(16) as pool:
        client = service.client
        answer = begin_long(service, pool)
        for path in ("/livez", "/readyz", "/models"):
            assert client.get(path).status_code == 200
        # A fault of the caller's is told as such even then.
        assert_problem(client.get("/generate?n=0"), 422, "n")
        meanwhile: list[httpx.Response] = []
        while not answer.done():
            meanwhile += pool.map(client.get, [SHORT, "/generate?seed=1"] * 8)
            assert client.get("/livez").status_code == 200
        assert len(answer.result().json()["names"]) == 1000

        crowd = list(pool.map(client.get, [f"/generate?seed={seed}" for seed in range(64)]))
        assert {response.status_code for response in crowd + meanwhile} == {200, 503}
        for response in crowd + meanwhile:
            if response.status_code == 503:
                assert 1 <= int(response.headers["retry-after"]) <= 3
                assert "try again" in assert_problem(response, 503)["detail"]

        for seed, response in enumerate(crowd):
            alone = client.get(f"/generate?seed={seed}")
            assert alone.status_code == 200
            assert response.status_code == 503 or response.json() == alone.json()


def test_sigterm_lets_a_running_request_finish_whole(service: Service, serve: Serve) -> None:
    expected = service.client.get(LONG).json()
    assert len(expected["names"]) == 1000
    with serve(QUEUE_SIZE=1) as ending, ThreadPoolExecutor(1) as pool:
        answer = begin_long(ending, pool)
        ending.process.send_signal(signal.SIGTERM)
        assert answer.result().json() == expected
        assert ending.process.wait(STOP_LIMIT_S) == 0


@pytest.mark.slow
def test_sigint_ends_the_process_as_sigterm_does(serve: Serve) -> None:
    with serve(MODELS="bigram", DEFAULT_MODEL="bigram") as service:
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(STOP_LIMIT_S) == 0


@pytest.mark.slow
def test_a_client_that_never_finishes_its_request_does_not_keep_the_process_from_ending(
    serve: Serve,
) -> None:
    with (
        serve(MODELS="bigram", DEFAULT_MODEL="bigram") as service,
        socket.create_connection(("127.0.0.1", service.port)) as idle,
    ):
        idle.sendall(HEAD + b"100\r\n\r\n{")
        assert service.client.get("/livez").status_code == 200
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(3 * STOP_LIMIT_S) == 0


@pytest.mark.slow
def test_a_client_that_never_reads_its_answer_does_not_keep_the_process_from_ending(
    serve: Serve,
) -> None:
    with serve(MODELS="bigram", DEFAULT_MODEL="bigram") as service, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", service.port))
        deaf.sendall(HEAD + b"%d\r\n\r\n" % len(WORDS) + WORDS)
        assert deaf.recv(12) == b"HTTP/1.1 200"
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(3 * STOP_LIMIT_S) == 0


@pytest.mark.slow
def test_two_workers_end_with_their_parent(serve: Serve) -> None:
    with serve(WORKERS=2) as service:
        assert service.client.get("/generate").status_code == 200


def test_a_client_that_goes_away_gives_its_place_to_others(serve: Serve) -> None:
    with serve(QUEUE_SIZE=1) as service:
        # A thousand names of exactly 15 characters: thousands of draws, for no one.
        leave_under_way(service, "/generate?n=1000&min_length=15", SHORT)
        later = [service.client.get(SHORT).status_code for _ in range(100)]
        assert later[-1] == 200


def test_a_request_past_its_deadline_is_504_and_others_are_served(serve: Serve) -> None:
    models = {"MODELS": "korean-gpt,bigram", "DEFAULT_MODEL": "bigram"}
    with serve(QUEUE_SIZE=1, DEADLINE_S=1, **models) as service:
        asked = "/generate?model=korean-gpt&n=1000&max_length=127"  # passes for many seconds
        problem = assert_problem(service.client.get(asked), 504)
        assert "in 1 s," in problem["detail"]
        assert service.client.get(SHORT).status_code == 200


@pytest.mark.slow
def test_workers_that_are_held_up_for_seconds_are_not_replaced(serve: Serve) -> None:
    with serve(WORKERS=2, MODELS="gru", DEFAULT_MODEL="gru") as service:
        asked = "/generate?n=3&seed=1"
        expected = service.client.get(asked).content
        processes = set(members(service.process.pid))
        workers = processes - {service.process.pid}
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(8)  # uvicorn's patience is 5 s
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        assert service.client.get(asked).content == expected
        assert set(members(service.process.pid)) == processes
