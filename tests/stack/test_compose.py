"""The compose file and the Dockerfile, read by a compose parser and by hadolint."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from compose_spec import PyCompose
from ruamel.yaml import YAML

from proctor_backend.access import ACCESS
from proctor_backend.local.compose import prepare
from proctor_backend.local.layout import Home

ROOT = Path(__file__).parents[2]
COMPOSE = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES = COMPOSE["services"]
DEFAULT = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")


def test_compose_parser_accepts_the_file():
    plain = {name: part for name, part in COMPOSE.items() if not name.startswith("x-")}
    with_defaults = DEFAULT.sub(r"\1", json.dumps(plain))  # as compose does before it reads
    read = json.loads(PyCompose.from_yaml(with_defaults).to_json())
    assert set(read["services"]) == set(SERVICES)


@pytest.mark.parametrize("path", sorted((ROOT / "infra").rglob("Dockerfile*")), ids=str)
def test_hadolint_finds_nothing(path):
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_component_is_a_service():
    assert set(ACCESS) <= set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_service_has_a_healthcheck(name):
    assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"runner"}))
def test_service_runs_without_root_and_without_privileges(name):
    service = SERVICES[name]
    assert service["user"].startswith("${PROCTOR_UID:-10001}")
    assert not service.get("privileged")
    assert service["cap_drop"] == ["ALL"]


def test_runner_reaches_control_store_and_broker_only():
    assert set(SERVICES["runner"]["networks"]) == {"lease", "store", "broker"}
    reachable = {
        name for name, service in SERVICES.items() if set(service.get("networks", ())) & {"lease"}
    }
    assert reachable == {"runner", "control"}
    assert "records" not in SERVICES["runner"]["networks"]


def test_only_edge_lets_anything_out():
    assert [n for n, net in COMPOSE["networks"].items() if not net.get("internal")] == ["edge"]


def test_published_ports_are_on_loopback():
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_no_service_is_told_a_secret_in_the_file():
    text = (ROOT / "docker-compose.yml").read_text("utf-8").lower()
    assert "password" not in text
    assert "secret_key" not in text


def test_prepare_writes_what_the_services_mount(tmp_path):
    home = Home(tmp_path)
    prepare(home)
    mounted = [
        volume.split(":")[1].removeprefix("-./.proctor}/")
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if volume.startswith("${PROCTOR_HOME")
    ]
    assert mounted
    assert [name for name in mounted if not (tmp_path / name).exists()] == []
    for component in ACCESS:
        assert (home.component(component) / "env").is_file()
    known = json.loads((home.rabbit / "definitions.json").read_text())
    assert {user["name"] for user in known["users"]} >= {n for n, a in ACCESS.items() if a.amqp}
