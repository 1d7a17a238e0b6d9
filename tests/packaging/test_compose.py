"""The compose files, the recipes of images and the examples; no container engine is needed.

What the containers would run is run as it is written, on PostgreSQL and programs of this machine.
"""

import contextlib
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

import grpc
import pytest
import yaml

from harness import ports
from moorage_server.embedded import cluster

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(sys.executable).parent
YAML_STYLE = "{extends: default, rules: {document-start: disable, line-length: {max: 100}}}"
ONE, THREE = "docker-compose.yml", "docker/ha/compose.yaml"
IMAGES = {
    "Dockerfile": ".dockerignore",
    "docker/ha/Dockerfile": "docker/ha/Dockerfile.dockerignore",
}
CHECKS = {
    "compose": ("check-jsonschema", "--builtin-schema=vendor.compose-spec", ONE, THREE),
    "images": ("hadolint", *IMAGES),
    "yaml": ("yamllint", "--strict", "-d", YAML_STYLE, "deploy", "docker", "examples", ONE),
}
# Of the API and of the metrics.
PORTS = ["127.0.0.1:7711:7711", "127.0.0.1:7712:7712"]
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


def run(
    *command: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs one of the environment's programs to its end."""
    return subprocess.run(
        [PROGRAMS / command[0], *command[1:]],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def must(*command: str, environment: dict[str, str] | None = None) -> None:
    """Runs one that has to succeed."""
    done = run(*command, environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr


class Service:
    """One service of the compose file, every variable at its default."""

    def __init__(self, name: str, *, replaced: dict[str, str] | None = None) -> None:
        """Takes what has other names outside of containers."""
        text = _VARIABLE.sub(r"\2", (ROOT / ONE).read_text())
        for there, here in (replaced or {}).items():
            text = text.replace(there, here)
        self.fields = yaml.safe_load(text)["services"][name]
        self.environment: dict[str, str] = self.fields["environment"]
        self.command: list[str] = self.fields.get("command", [])

    def is_healthy(self) -> bool:
        """Runs the health check of the service."""
        marker, program, *arguments = self.fields["healthcheck"]["test"]
        assert marker == "CMD"
        return run(program, *arguments, environment=self.environment).returncode == 0


@pytest.mark.parametrize("check", CHECKS)
def test_every_file_passes_its_linter(check: str) -> None:
    must(*CHECKS[check])


def test_only_the_server_is_reachable_and_only_from_this_machine() -> None:
    published = {
        name: Service(name).fields.get("ports") for name in ("postgres", "migrate", "server")
    }
    assert published == {"postgres": None, "migrate": None, "server": PORTS}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_built_from_files_that_exist_and_are_not_ignored(image: str) -> None:
    recipe, ignored = (ROOT / image).read_text(), (ROOT / IMAGES[image]).read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", recipe, re.MULTILINE)
    sources = {pathlib.PurePath(source) for line in copied for source in line.split()}
    admitted = {*re.findall(r"^!(.+)$", ignored, re.MULTILINE)}
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert [each for each in sources if not any(map(each.is_relative_to, admitted))] == []
    assert {of for each in sources for of in admitted if each.is_relative_to(of)} == admitted


def test_with_three_postgresqls_everybody_knows_the_way_to_all_that_there_are() -> None:
    services = yaml.safe_load((ROOT / THREE).read_text())["services"]
    told = {name: each["environment"] for name, each in services.items() if "environment" in each}
    members = [name for name, given in told.items() if given.get("PATRONI_NAME") == name]
    voters = [name for name, given in told.items() if given.get("ETCD_NAME") == name]
    assert (len(members), len(voters)) == (3, 3)
    ways = "&".join([*(f"host={name}" for name in members), "target_session_attrs=read-write"])
    [migration] = [each for each in services["migrate"]["command"] if "://" in each]
    assert {url.partition("?")[2] for url in (migration, told["server"]["DATABASE_URL"])} == {ways}
    for name in members:
        assert told[name]["PATRONI_ETCD3_HOSTS"] == ",".join(f"{each}:2379" for each in voters)
        assert told[name]["PATRONI_POSTGRESQL_CONNECT_ADDRESS"] == f"{name}:5432"
    peers = ",".join(f"{name}=http://{name}:2380" for name in voters)
    assert {told[name]["ETCD_INITIAL_CLUSTER"] for name in voters} == {peers}
    assert not [name for name, each in services.items() if "ports" in each]


def test_the_commands_of_the_containers_make_a_healthy_service(tmp_path: pathlib.Path) -> None:
    database_port, server_port = ports.free(), ports.free()
    replaced = {
        "@postgres/": f"@127.0.0.1:{database_port}/",
        "0.0.0.0:7711": f"127.0.0.1:{server_port}",
        "127.0.0.1:7711": f"127.0.0.1:{server_port}",
    }
    migrate, server = (Service(name, replaced=replaced) for name in ("migrate", "server"))
    with cluster.Cluster(tmp_path / "state", durable=False, port=database_port) as postgres:
        make_roles(postgres)
        must("moorage-server", *migrate.command, environment=migrate.environment)
        assert not server.is_healthy()
        with started(server) as process:
            with grpc.insecure_channel(f"127.0.0.1:{server_port}") as channel:
                grpc.channel_ready_future(channel).result(timeout=60)
            assert server.is_healthy()
            assert applied(server) == {"created"}
            assert applied(server) == {"unchanged"}
        assert process.returncode == 0


@contextlib.contextmanager
def started(server: Service) -> Iterator[subprocess.Popen[bytes]]:
    """Runs the command of the server, and ends it in any case."""
    command = [str(PROGRAMS / "moorage-server"), *server.command]
    environment = {**os.environ, **server.environment}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


def applied(server: Service) -> set[str]:
    """Applies the examples; returns what came of them."""
    done = run("moorctl", "apply", "-f", "examples", environment=server.environment)
    assert (done.returncode, done.stderr) == (0, "")
    return {line.split()[1] for line in done.stdout.splitlines()}


def make_roles(postgres: cluster.Cluster) -> None:
    """Takes away what the cluster has made itself, and lets the script of the image make it."""
    psql = postgres.tool("psql", role=cluster.BOOTSTRAP_ROLE, database="postgres")
    psql += ["--no-psqlrc", "--set=ON_ERROR_STOP=1", "--quiet"]
    for name in (
        f"DATABASE {cluster.DATABASE}",
        f"ROLE {cluster.OWNER_ROLE}",
        f"ROLE {cluster.SERVICE_ROLE}",
        f"ROLE {cluster.READER_ROLE}",
    ):
        must(*psql, f"--command=DROP {name}")
    for script in sorted((ROOT / "docker" / "initdb").iterdir()):
        must(*psql, f"--file={script}", environment=Service("postgres").environment)
