"""The manifests are what Kubernetes accepts, and speak of settings and ports that there are."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.settings import Settings

ROOT = Path(__file__).parent.parent
KUBERNETES = ROOT / "deploy" / "kubernetes"
OURS = ["base", "metrics", "gpu"]
DOCS = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")


def documents(path: Path) -> Iterator[dict[str, Any]]:
    """What a file has, one after the other."""
    yield from yaml.safe_load_all(path.read_text(encoding="utf-8"))


def built(folder: Path) -> list[dict[str, Any]]:
    """What is applied of a folder."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def documented(folder: Path, *what: str) -> list[dict[str, Any]]:
    """What is applied of the overlay of docs/kubernetes.md, with both components, and more.

    Args:
        folder: for the overlay.
        what: of the page's other pieces of it those that have this text.
    """
    first, *others = re.findall(r"```yaml\n(.+?)```", DOCS, re.DOTALL)
    more = [next(each for each in others if text in each) for text in what]
    ours = os.path.relpath(KUBERNETES, folder)
    text = "".join([first, *more]).replace("github.com/you/namewright/deploy/kubernetes", ours)
    text = text.replace("   # or a path", "").replace("# components:", "components:")
    (folder / "kustomization.yaml").write_text(text.replace("#   - ", "  - "))
    resources = built(folder)
    for resource in resources:
        validate(resource)
        assert resource["metadata"]["namespace"] == "names"
    return resources


def one(resources: list[dict[str, Any]], kind: str, name: str = "namewright") -> dict[str, Any]:
    """The one of this kind and name."""
    (found,) = (
        each for each in resources if (each["kind"], each["metadata"]["name"]) == (kind, name)
    )
    return found


def container(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """The service's, of a deployment."""
    (only,) = one(resources, "Deployment")["spec"]["template"]["spec"]["containers"]
    return only


def validate(resource: dict[str, Any]) -> None:
    """As `kubernetes-validate --strict`; what operators bring has no schema there."""
    if resource["apiVersion"] == "monitoring.coreos.com/v1":
        return
    kubernetes_validate.validate(resource, "1.37", strict=True)


@needs_kubectl
@pytest.mark.parametrize("name", OURS)
def test_what_is_applied_is_valid(name: str) -> None:
    resources = built(KUBERNETES / name)
    assert len(resources) >= 5
    for resource in resources:
        validate(resource)


@pytest.mark.parametrize("path", sorted((KUBERNETES / "base").glob("*.yaml")), ids=lambda p: p.name)
def test_the_parts_are_settings_of_ours_and_ports_that_there_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    given = set(re.findall(r"name: NAMEWRIGHT_(\w+)", text))
    assert given <= {name.upper() for name in Settings.model_fields}
    assert set(re.findall(r"(?:port|targetPort): ([a-z]+)", text)) <= {"http", "metrics"}


@needs_kubectl
@pytest.mark.parametrize("name", OURS)
def test_a_pod_may_do_no_more_than_it_needs_and_has_the_time_to_end(name: str) -> None:
    resources = built(KUBERNETES / name)
    pod = one(resources, "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["enableServiceLinks"] is pod["automountServiceAccountToken"] is False
    ours = container(resources)
    assert ours["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    environment = {each["name"].removeprefix("NAMEWRIGHT_"): each for each in ours["env"]}
    ports = {port["name"]: port["containerPort"] for port in ours["ports"]}
    assert ports == {"http": 8000, "metrics": int(environment["METRICS_PORT"]["value"])}
    drain_s = float(environment["DRAIN_S"]["value"])
    # A second beyond: a process takes the time to end, too.
    needed_s = drain_s + Settings.model_fields["shutdown_timeout_s"].default + 1
    assert pod["terminationGracePeriodSeconds"] >= needed_s
    # nginx's ingress and Amazon's load balancers keep connections for 60 s, and are to close first.
    assert int(environment["KEEP_ALIVE_S"]["value"]) > 60


@needs_kubectl
@pytest.mark.parametrize("name", OURS)
def test_what_selects_pods_selects_ours_and_no_others(name: str) -> None:
    # Without a selector a policy is for all pods of the namespace, and a budget for none.
    resources = built(KUBERNETES / name)
    deployment = one(resources, "Deployment")["spec"]
    ours = {"app.kubernetes.io/name": "namewright"}
    assert ours.items() <= deployment["template"]["metadata"]["labels"].items()
    pod = deployment["template"]["spec"]
    assert [
        deployment["selector"]["matchLabels"],
        one(resources, "Service")["spec"]["selector"],
        one(resources, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(resources, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(each["labelSelector"]["matchLabels"] for each in pod["topologySpreadConstraints"]),
    ] == [ours] * 6
    target = one(resources, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", "namewright")


@needs_kubectl
def test_replicas_follow_a_metric_of_ours_that_prometheus_is_let_read() -> None:
    resources = built(KUBERNETES / "metrics")
    metrics = one(resources, "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert [each["type"] for each in metrics] == ["Resource", "Pods"]
    assert f"`{metrics[1]['pods']['metric']['name']}`" in OPERATIONS
    monitor = one(resources, "ServiceMonitor")["spec"]
    service = one(resources, "Service", "namewright-metrics")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {port["port"] for port in monitor["endpoints"]} == {"metrics"}
    assert service["metadata"]["labels"][monitor["jobLabel"]] == "namewright"  # as in the alerts
    labels = one(resources, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    let_in = one(resources, "NetworkPolicy")["spec"]["ingress"]
    assert {port["port"] for rule in let_in for port in rule["ports"]} == {"http", "metrics"}
    # Not even there from anywhere.
    assert all("from" in rule for rule in let_in if {"port": "metrics"} in rule["ports"])


@needs_kubectl
def test_a_gpu_is_asked_for_and_waited_for() -> None:
    resources = built(KUBERNETES / "gpu")
    ours = container(resources)
    assert ours["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert ours["image"] == "namewright:gpu"
    assert {"name": "NAMEWRIGHT_DEVICE", "value": "cuda"} in ours["env"]
    assert one(resources, "Deployment")["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 0


@needs_kubectl
def test_the_documented_overlay_has_both_components_and_needs_keys(tmp_path: Path) -> None:
    resources = documented(tmp_path, "optional: false", "release: prometheus")
    monitor = one(resources, "ServiceMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    ours = container(resources)
    assert ours["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert ours["image"] == "registry.example.com/namewright:1.0"
    (keys,) = (each for each in ours["env"] if each["name"] == "NAMEWRIGHT_API_KEYS")
    assert keys["valueFrom"]["secretKeyRef"]["optional"] is False


@needs_kubectl
def test_keys_that_are_exchanged_are_those_of_the_file_alone(tmp_path: Path) -> None:
    resources = documented(tmp_path, "NAMEWRIGHT_API_KEYS_FILE")
    ours = container(resources)
    environment = {each["name"]: each for each in ours["env"]}
    assert "NAMEWRIGHT_API_KEYS" not in environment
    file = Path(environment["NAMEWRIGHT_API_KEYS_FILE"]["value"])
    (mounted,) = (each for each in ours["volumeMounts"] if each["name"] == "keys")
    assert Path(mounted["mountPath"]) == file.parent  # a folder, or it would never change
    assert "subPath" not in mounted
    pod = one(resources, "Deployment")["spec"]["template"]["spec"]
    (volume,) = (each for each in pod["volumes"] if each["name"] == "keys")
    assert volume["secret"]["secretName"] == "namewright-keys"
    assert f"--from-file={file.name}=" in DOCS


def test_every_documented_command_says_which_namespace() -> None:
    commands = re.findall(r"kubectl (?!kustomize|create namespace|apply -k \.)(.+)", DOCS)
    commands = [each for each in commands if not each.startswith("apply -k`")]
    assert len(commands) >= 4
    assert all(each.startswith("-n names ") for each in commands), commands
