"""What is deployed beside the service speaks of metrics and settings that there are."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from app.settings import Settings

ROOT = Path(__file__).parent.parent
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
METRICS = set(re.findall(r"`(namewright_\w+)`", OPERATIONS))


@pytest.mark.parametrize("path", [*PROMETHEUS.glob("*.yml"), DASHBOARD], ids=lambda p: p.name)
def test_every_metric_that_is_asked_for_is_one_of_ours(path: Path) -> None:
    asked = set(re.findall(r"namewright_\w+", path.read_text(encoding="utf-8")))
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in asked} <= METRICS


def test_every_alert_says_what_to_do() -> None:
    alerts = re.findall(r"- alert: (\w+)", (PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))
    assert alerts
    assert {name for name in alerts if f"| `{name}` |" not in OPERATIONS} == set()


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_every_setting_in_the_compose_file_is_one_of_ours() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    given = set(re.findall(r"^ +NAMEWRIGHT_(\w+):", text, re.MULTILINE))
    assert given <= {name.upper() for name in Settings.model_fields}


def test_replicas_have_no_port_of_their_own_and_the_balancer_knows_their_name() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    assert "ports" not in services["replica"]
    assert services["balancer"]["ports"] == services["namewright"]["ports"]
    assert services["balancer"]["depends_on"] == {"replica": {"condition": "service_healthy"}}
    port = re.search(r"^EXPOSE (\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    balancer = (ROOT / "deploy" / "haproxy" / "haproxy.cfg").read_text(encoding="utf-8")
    assert port
    assert f" replica:{port[1]}\n" in balancer
    # A replica that ends is asked nothing by then.
    checked = re.search(r"check inter (\d+)s fall (\d+)", balancer)
    assert checked
    drain_s = services["replica"]["environment"]["NAMEWRIGHT_DRAIN_S"]
    assert int(checked[1]) * int(checked[2]) < drain_s


def test_the_balancer_waits_longer_than_the_service_itself() -> None:
    balancer = (ROOT / "deploy" / "haproxy" / "haproxy.cfg").read_text(encoding="utf-8")
    waits = {name: int(s) for name, s in re.findall(r"timeout ([\w-]+) +(\d+)s", balancer)}
    settings = Settings()
    assert waits["http-request"] > settings.receive_timeout_s
    assert waits["client"] > settings.send_timeout_s
    assert waits["server"] > settings.deadline_s
    assert waits["check"] >= 5  # as long as Kubernetes' probes
    buffer = re.search(r"tune.bufsize (\d+)", balancer)
    assert buffer
    assert int(buffer[1]) >= settings.max_body_bytes + 16384  # a body, and a head
    # All buffers and 64 MB of answers leave it a third of what it may have.
    buffers = re.search(r"tune.buffers.limit (\d+)", balancer)
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    assert buffers
    assert services["balancer"]["mem_limit"] == "2g"
    assert int(buffers[1]) * int(buffer[1]) + (64 << 20) < (2 << 30) * 2 / 3


def test_build_arguments_are_documented_and_compose_gives_them_as_they_are() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    arguments = dict(re.findall(r'^ARG (\w+)="?([^"\n]*)"?$', dockerfile, re.MULTILINE))
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    given = re.findall(r"^ +(\w+): \$\{(\w+):-(.*)\}$", compose, re.MULTILINE)
    given = [each for each in given if each[0] in arguments]
    assert {name for name, _, _ in given} == set(arguments)
    assert all(name == variable for name, variable, _ in given)
    assert all(default == arguments[name] for name, _, default in given)
    told = (ROOT / "docs" / "container.md").read_text(encoding="utf-8")
    assert not [name for name in arguments if f"| `{name}` |" not in told]


def test_the_ingress_of_ray_has_the_limits_of_the_service() -> None:
    text = (ROOT / "deploy" / "ray.env").read_text(encoding="utf-8")
    given = dict(re.findall(r"^RAY_SERVE_(\w+)=(\d+)$", text, re.MULTILINE))
    settings = Settings.model_fields
    head = 16384
    assert int(given["HAPROXY_TUNE_BUFSIZE"]) >= settings["max_body_bytes"].default + head
    assert int(given["HAPROXY_TIMEOUT_SERVER_S"]) > settings["deadline_s"].default
    assert int(given["HAPROXY_TIMEOUT_CLIENT_S"]) == settings["send_timeout_s"].default
    assert int(given["DIRECT_INGRESS_MIN_DRAINING_PERIOD_S"]) == settings["drain_s"].default


def test_every_variable_of_ray_that_its_page_names_is_set() -> None:
    text = (ROOT / "deploy" / "ray.env").read_text(encoding="utf-8")
    named = re.findall(r"`(RAY_SERVE_\w+)`", (ROOT / "docs" / "ray.md").read_text(encoding="utf-8"))
    assert named
    assert not [name for name in named if f"\n{name}=" not in text]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "config", "prometheus.yml"],
        ["check", "rules", "--lint-fatal", "alerts.yml"],
        ["test", "rules", "alerts_test.yml"],
    ],
    ids=" ".join,
)
def test_prometheus_accepts_the_configuration_and_alerts_as_it_should(arguments: list[str]) -> None:
    done = subprocess.run(
        ["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
