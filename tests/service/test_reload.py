"""Other checkpoints for a service in use: SIGHUP loads them, and no request is lost by it."""

import shutil
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from models.storage import write_folder
from tests.exact import CHECKPOINTS
from tests.service.conftest import (
    PATIENCE_S,
    START_LIMIT_S,
    Serve,
    Service,
    await_ready,
    end,
    free_port,
    launch,
)
from tests.service.test_startup import flip_a_bit, read_files

WORKERS = [1, pytest.param(2, marks=pytest.mark.slow)]
ASKED = "/generate?n=5&seed=1"


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """A folder of checkpoints with one, `mine`: the bigram."""
    put(tmp_path / "checkpoints", "bigram")
    return tmp_path / "checkpoints"


def put(catalogue: Path, architecture: str, name: str = "mine") -> None:
    """Have a checkpoint in the folder, whatever was there; as training writes it."""
    write_folder(catalogue / name, read_files(CHECKPOINTS / architecture))


def await_said(service: Service, text: str, count: int) -> None:
    """Wait until its log has something that often."""
    deadline = time.monotonic() + START_LIMIT_S
    while service.log.read_text().count(text) < count:
        assert time.monotonic() < deadline, service.log.read_text()
        time.sleep(0.02)


def reload(service: Service, count: int, said: str = "reloaded") -> None:
    """Ask for it, and wait until `count` processes have said so since then."""
    before = service.log.read_text().count(said)
    service.process.send_signal(signal.SIGHUP)
    await_said(service, said, before + count)


def fingerprint(client: httpx.Client, model: str = "mine") -> str:
    found: str = client.get(f"/models/{model}").json()["fingerprint"]
    return found


@pytest.mark.parametrize("workers", WORKERS)
def test_a_reload_serves_what_is_new_and_changed_and_not_what_is_gone(
    serve: Serve, catalogue: Path, workers: int
) -> None:
    put(catalogue, "bow", "old")
    settings = {"CHECKPOINTS": catalogue, "DEFAULT_MODEL": "mine", "WORKERS": workers}
    with serve(**settings) as service:
        await_said(service, "listening on", workers)
        client = service.client
        before = client.get(ASKED).json()
        put(catalogue, "gru")
        put(catalogue, "mlp", "new")
        shutil.rmtree(catalogue / "old")
        assert client.get(ASKED).json() == before
        reload(service, workers)
        after = client.get(ASKED).json()
        assert after["fingerprint"] != before["fingerprint"]
        assert after["names"] != before["names"]
        assert [each["id"] for each in client.get("/models").json()["models"]] == ["mine", "new"]
        assert client.get("/generate?model=old").status_code == 404
        pinned = f"{ASKED}&fingerprint={before['fingerprint']}"
        assert client.get(pinned).status_code == 409
        metrics = client.get("/metrics").text
        assert f'namewright_reloads_total{{outcome="done"}} {workers}.0' in metrics
        assert f'fingerprint="{before["fingerprint"]}",model="mine"}} 0.0' in metrics
        assert f'fingerprint="{after["fingerprint"]}",model="mine"}} 1.0' in metrics


@pytest.mark.parametrize("workers", WORKERS)
def test_a_bad_checkpoint_is_not_loaded_and_the_old_ones_serve_on_and_the_log_says_why(
    serve: Serve, catalogue: Path, workers: int
) -> None:
    settings = {"CHECKPOINTS": catalogue, "DEFAULT_MODEL": "mine", "WORKERS": workers}
    with serve(**settings) as service:
        await_said(service, "listening on", workers)
        before = service.client.get(ASKED).json()
        put(catalogue, "gru")
        put(catalogue, "mlp", "new")
        flip_a_bit(catalogue / "new")
        reload(service, workers, "not reloaded")
        fault = f"on: {catalogue / 'new' / 'model.safetensors'}: damaged"
        assert fault in service.log.read_text()
        assert "Traceback" not in service.log.read_text()
        assert service.client.get(ASKED).json() == before
        assert service.client.get("/readyz").status_code == 200
        failed = f'namewright_reloads_total{{outcome="failed"}} {workers}.0'
        assert failed in service.client.get("/metrics").text
        put(catalogue, "mlp", "new")
        reload(service, workers)
        assert service.client.get(ASKED).json() != before


def test_no_request_is_lost_while_checkpoints_are_exchanged_and_each_has_one_model(
    serve: Serve, catalogue: Path
) -> None:
    settings = {"CHECKPOINTS": catalogue, "DEFAULT_MODEL": "mine"}
    with serve(**settings) as service:
        names = {fingerprint(service.client): service.client.get(ASKED).json()["names"]}
        put(catalogue, "gru")
        reload(service, 1)
        names[fingerprint(service.client)] = service.client.get(ASKED).json()["names"]
        assert len(names) == 2
        done = threading.Event()
        answers: list[httpx.Response] = []

        def ask() -> None:
            with httpx.Client(
                base_url=service.client.base_url, timeout=PATIENCE_S, trust_env=False
            ) as client:
                while not done.is_set():
                    answers.append(client.get(ASKED))

        asking = [threading.Thread(target=ask) for _ in range(4)]
        for thread in asking:
            thread.start()
        for architecture in ("bigram", "gru") * 3:
            put(catalogue, architecture)
            reload(service, 1)
        done.set()
        for thread in asking:
            thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["fingerprint"] for answer in answers} == set(names)
    for answer in answers:
        assert answer.json()["names"] == names[answer.json()["fingerprint"]]


def test_a_stream_that_has_begun_keeps_its_model(serve: Serve, catalogue: Path) -> None:
    settings = {"CHECKPOINTS": catalogue, "DEFAULT_MODEL": "mine"}
    with serve(**settings) as service:
        expected = service.client.get("/generate?n=1000&seed=3").json()["names"]
        with service.client.stream("GET", "/generate/stream?n=100000&seed=3") as stream:
            lines = stream.iter_lines()
            first = [next(lines) for _ in range(3)]
            put(catalogue, "gru")
            reload(service, 1)
            assert service.client.get("/generate?n=1000&seed=3").json()["names"] != expected
            *rest, end = lines
        assert '"end":"complete"' in end
        drawn = [line.split('"')[3] for line in first + rest[:997]]
        assert drawn == expected
        assert len(rest) == 99_997


def test_what_has_not_changed_keeps_what_is_known_of_it(serve: Serve, catalogue: Path) -> None:
    put(catalogue, "gru", "other")
    settings = {"CHECKPOINTS": catalogue, "DEFAULT_MODEL": "mine"}
    with serve(**settings) as service:
        tree = 'namewright_tree_prefixes{model="other"}'
        service.client.get("/generate?n=1000&model=other")

        def known() -> str:
            lines = service.client.get("/metrics").text.splitlines()
            return next(line for line in lines if line.startswith(tree))

        before = known()
        put(catalogue, "bow")
        reload(service, 1)
        assert known() == before
        assert not before.endswith(" 0.0")


@pytest.mark.parametrize("workers", WORKERS)
def test_sighup_while_it_starts_does_no_harm(tmp_path: Path, catalogue: Path, workers: int) -> None:
    log, port = tmp_path / "log", free_port()
    settings = {"CHECKPOINTS": catalogue, "DEFAULT_MODEL": "mine", "WORKERS": workers}
    process = launch(log, PORT=port, **settings)
    while b"-m\0app" not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
        time.sleep(0.001)  # until it is that
    time.sleep(0.5)  # and has begun to run
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S, trust_env=False
    ) as client:
        deadline = time.monotonic() + START_LIMIT_S
        while "listening on" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            process.send_signal(signal.SIGHUP)
            time.sleep(0.01)
        await_ready(client, process, log)
        assert client.get(ASKED).status_code == 200
    end(process, log)
    assert "Traceback" not in log.read_text()
