"""What cannot be run here is at least what Docker, Kubernetes and KEDA read: each file against its schema, all of them together."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from config.environment import unknown_variables
from scripts.local.roles import BEAT, DELIVERIES, WEB, WORKER, Role
from scripts.local.state import CHECKOUT

FOLDER = CHECKOUT / "deploy" / "kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
ROLES = (WEB, WORKER, DELIVERIES, BEAT)
# What Kubernetes itself knows of each kind.
MODELS = {
    "ConfigMap": "lightkube.models.core_v1:ConfigMap",
    "Deployment": "lightkube.models.apps_v1:Deployment",
    "Job": "lightkube.models.batch_v1:Job",
    "PodDisruptionBudget": "lightkube.models.policy_v1:PodDisruptionBudget",
    "Service": "lightkube.models.core_v1:Service",
}
# As KEDA's releases install it.
KEDA = Path(__file__).with_name("keda_scaledobjects.yaml")


@cache
def read_objects() -> dict[tuple[str, str], dict[str, Any]]:
    """All objects, by their kind and name."""
    documents = [document for file in FILES for document in yaml.safe_load_all(file.read_text())]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for (found, _), one in read_objects().items() if found == kind]


def container_of(role: Role) -> dict[str, Any]:
    (container,) = pod_of(role)["containers"]
    return dict(container)


def pod_of(role: Role) -> dict[str, Any]:
    return dict(read_objects()["Deployment", f"webhookhub-{role.name}"]["spec"]["template"]["spec"])


@cache
def scaled_object_schema() -> Any:
    """Of a ScaledObject. What it does not name Kubernetes would drop without a word."""
    (version,) = yaml.safe_load(KEDA.read_text())["spec"]["versions"]
    return _strict(version["schema"]["openAPIV3Schema"])


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inside = {name: _strict(value) for name, value in schema.items()}
    return inside | ({"additionalProperties": False} if "properties" in schema else {})


def check(document: dict[str, Any]) -> None:
    """Raises where Kubernetes or KEDA would refuse it, or pass over a part of it."""
    if document["kind"] == "ScaledObject":
        jsonschema.validate(document, scaled_object_schema())
        return
    read = msgspec.convert(document, resolve_name(MODELS[document["kind"]]))
    # What it does not know it leaves out.
    assert msgspec.to_builtins(read) == document


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_manifest_is_one_that_kubernetes_reads_whole(file: Path) -> None:
    for document in yaml.safe_load_all(file.read_text()):
        check(document)


@pytest.mark.parametrize(
    "change", [{"replicas": "two"}, {"replica": 2}, {"selector": None}, {"template": {"spec": {"containers": [{}]}}}]
)
def test_a_manifest_that_kubernetes_would_refuse_or_misread_is_found(change: dict[str, Any]) -> None:
    document = read_objects()["Deployment", "webhookhub-web"]
    with pytest.raises((AssertionError, msgspec.ValidationError)):
        check(document | {"spec": document["spec"] | change})


@pytest.mark.parametrize(
    "change",
    [{"maxReplicaCount": "8"}, {"maxReplicas": 8}, {"triggers": [{"type": "prometheus"}]}, {"scaleTargetRef": {}}],
)
def test_autoscaling_that_keda_would_refuse_or_misread_is_found(change: dict[str, Any]) -> None:
    document = read_objects()["ScaledObject", "webhookhub-deliveries"]
    with pytest.raises(jsonschema.ValidationError):
        check(document | {"spec": document["spec"] | change})


def test_the_compose_file_is_one_that_docker_reads_whole() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_service_of_the_compose_file_has_a_limit_and_those_of_the_hub_have_no_rights() -> None:
    services = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
    assert all("mem_limit" in service for service in services.values())
    of_the_hub = [service for service in services.values() if service["image"] == "webhookhub"]
    assert all(service["cap_drop"] == ["ALL"] and service["read_only"] for service in of_the_hub)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_deployment_runs_the_command_of_its_role(role: Role) -> None:
    assert container_of(role)["command"] == ["python", "-m", *role.command]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_nothing_runs_as_root_or_without_limits_or_longer_than_it_may_take_to_end(role: Role) -> None:
    pod, container = pod_of(role), container_of(role)
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"].keys() == {"requests", "limits"}
    assert pod["terminationGracePeriodSeconds"] > (60 if role in (WORKER, DELIVERIES) else 5)


def test_what_selects_pods_selects_those_of_its_deployment() -> None:
    selectors = [one["spec"]["selector"]["matchLabels"] for one in of_kind("PodDisruptionBudget")]
    selectors += [one["spec"]["selector"] for one in of_kind("Service")]
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in of_kind("Deployment")]
    assert len(selectors) == 4
    assert all(selector in labels for selector in selectors)


def test_every_variable_that_is_set_is_a_setting() -> None:
    (settings,) = of_kind("ConfigMap")
    assert unknown_variables(settings["data"]) == {}


def test_workers_are_scaled_by_a_figure_that_the_hub_tells() -> None:
    (scaled,) = of_kind("ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    assert ("Deployment", scaled["spec"]["scaleTargetRef"]["name"]) in read_objects()
    alerts = (CHECKOUT / "deploy" / "prometheus" / "alerts.yml").read_text()
    assert trigger["metadata"]["query"].removeprefix("max(").removesuffix(")") in alerts
