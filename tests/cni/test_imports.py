"""What a call in a process of its own loads: every name of it with its reason, and nothing else.

To import is most of what such a call costs, so who adds to it says here what for. Of an ADD that
has all it needs in its configuration; what others load, of the Kubernetes API or to check a pool,
they load when they come to it.
"""

import json
from collections.abc import Iterable

import pytest

from cni import program, scripted
from harness import imports
from moorage.v1 import resources_pb2

# What gRPC makes parts of itself where it finds them; the server needs them, and no node has them.
NOT_ON_A_NODE = ("grpc_health", "grpc_reflection", "grpc_tools")
CALL = (
    "import os, sys\n"
    f"sys.modules.update(dict.fromkeys({NOT_ON_A_NODE}))\n"
    "from moorage.cni import plugin\n"
    "os._exit = lambda code: None\n"
    f"plugin.main()\n{imports.TELL}"
)

# Packages, those of the namespace `google` each for itself.
PACKAGES = {
    "moorage": "the plugin",
    "grpc": "the call to the server",
    "google.protobuf": "the messages of the call",
    "google._upb": "what protobuf is made of where it is fast",
    "google.rpc": "the details of a refusal; who is refused without them could not be told why",
    "typing_extensions": "grpc.aio asks for it, which grpc imports, used or not",
    "cython": "what the C core of gRPC was compiled with",
}

# What is loaded of the standard library is one of these, or loaded by one of them, whatever those
# load in one version of Python or another.
LIBRARY = {
    "asyncio": "grpc.aio; it brings ssl, subprocess, logging, concurrent.futures, inspect, re",
    "calendar": "protobuf's timestamps",
    "copy": "grpc, protobuf",
    "datetime": "protobuf's timestamps",
    "encodings.raw_unicode_escape": "protobuf's text format, which nobody asks for",
    "encodings.unicode_escape": "the same",
    "gc": "turned off: the process ends before it would pay",
    "ipaddress": "addresses and pools as users write them",
    "json": "what a runtime passes and what it is answered",
    "numbers": "protobuf's checks of what is assigned to a field",
    "pickle": "protobuf's containers",
    "pkgutil": "the C core of gRPC, which looks for its certificates with it",
    "random": "how long a caller waits that comes again, so that not all come at once",
    "zlib": "the C core of gRPC",
}

# Of the package moorage; generated ones are of moorage.v1.
MODULES = {
    "moorage": "the errors, and where the rest is",
    "moorage.allocations": "the calls for addresses, with their retries",
    "moorage.attempts": "the stamp that puts an ADD and a late DEL in order",
    "moorage.calls": "one call: deadline, tries, what is raised",
    "moorage.channel": "the connection and its settings",
    "moorage.cni": "the package of the plugin",
    "moorage.cni.adding": "the ADD itself",
    "moorage.cni.addresses": "addresses and pools in configuration and annotations, read strictly",
    "moorage.cni.annotations": "what the pod and its namespace ask for, as the runtime passed it",
    "moorage.cni.calls": "the call that assigns, its failures in the words of CNI",
    "moorage.cni.constraints": "what is asked for, between annotations and request",
    "moorage.cni.deadline": "the one time limit of all that is waited for",
    "moorage.cni.errors": "the codes and the document of a failure; every parser raises them",
    "moorage.cni.handler": "from environment and standard input to the answer",
    "moorage.cni.host": "where the connection comes from in a process of one call",
    "moorage.cni.invocation": "the verb, the container and the interface, checked",
    "moorage.cni.jsontext": "JSON within bounds",
    "moorage.cni.netconf": "the network configuration",
    "moorage.cni.origin": "where a value stands, for errors",
    "moorage.cni.plugin": "the process",
    "moorage.cni.release": "what an agent is to settle first; the host takes it from every ADD",
    "moorage.cni.request": "the message that is sent",
    "moorage.cni.result": "the result, in the version that is asked for",
    "moorage.cni.runtime_ips": "fixed addresses that come with the call",
    "moorage.cni.settings": "what the configuration says of assigning",
    "moorage.cni.subject": "which pod it is for",
    "moorage.cni.versions": "which versions of CNI are spoken",
    "moorage.errors": "what a call raises, one class for each thing to do about it",
    "moorage.failures": "what a refusal says, read from its details",
    "moorage.gate": "how many assigns are sent at once to a busy server; every caller waits there",
    "moorage.jitter": "chance in how long is waited",
    "moorage.names": "resource names, which requests carry",
    "moorage.positions": "how far the feed had come, which every call shows",
    "moorage.retries": "which failures are tried again, and until when",
    "moorage.targets": "a server's address as people write it",
    "moorage.tls": "the names of the files that the configuration has for TLS",
    "moorage.traces": "whether spans are made, which no process of one call does",
    "moorage.v1": "the package of the messages",
    "moorage.v1.allocation_service_pb2": "the request and its answer",
    "moorage.v1.allocation_service_pb2_grpc": "the path of the method",
    "moorage.v1.audit_pb2": "a part of history_pb2's messages",
    "moorage.v1.error_reason_pb2": "a part of reconciliation_pb2's messages",
    "moorage.v1.filter_pb2": "a part of allocation_service_pb2's messages",
    "moorage.v1.history_pb2": "a part of allocation_service_pb2's messages",
    "moorage.v1.reconciliation_pb2": "a part of allocation_service_pb2's messages",
    "moorage.v1.resources_pb2": "attachment, workload, allocation",
}


@pytest.fixture
def add(script: scripted.Script) -> set[str]:
    """What an ADD has loaded that was answered."""
    script.allocations = [resources_pb2.Allocation(address="10.0.0.7", prefix_length=32)]
    loaded = call("ADD", script)
    assert len(script.assigned) == 1
    return loaded


def call(verb: str, script: scripted.Script) -> set[str]:
    """What a call of the server has loaded at its end."""
    config = program.config(ipam={"server": script.target, "timeout_seconds": 5})
    return modules(CALL, {"CNI_COMMAND": verb}, json.dumps(config).encode())


def modules(code: str, environment: dict[str, str], stdin: bytes = b"") -> set[str]:
    """What is loaded at the end of a program in a container."""
    return imports.modules(code, program.CONTAINER | environment, stdin)


def by_import_alone(names: Iterable[str]) -> set[str]:
    """What a bare interpreter has loaded that imports these."""
    return imports.alone(names, program.CONTAINER)


def package(module: str) -> str:
    """The package a module is of, as it stands in PACKAGES; its version does not count."""
    first = imports.package(module)
    return "cython" if first == "cython_runtime" or first.startswith("_cython_") else first


def test_every_package_has_its_reason(add: set[str]) -> None:
    others = {each for each in add - by_import_alone(()) if not imports.is_of_the_library(each)}
    packages = {package(each) for each in others - {"google"}}
    assert not (told := imports.differences("an ADD", packages, PACKAGES)), told


def test_every_module_of_our_own_has_its_reason(add: set[str]) -> None:
    ours = {each for each in add if package(each) == "moorage"}
    assert not (told := imports.differences("an ADD", ours, MODULES)), told


def test_what_is_loaded_of_the_standard_library_has_its_reason(add: set[str]) -> None:
    public = {each for each in add if imports.is_of_the_library(each) and "._" not in f".{each}"}
    brought = by_import_alone(LIBRARY) - LIBRARY.keys()
    assert not (told := imports.differences("an ADD", public - brought, LIBRARY)), told


def test_a_del_loads_no_more_than_an_add(add: set[str], script: scripted.Script) -> None:
    loaded = call("DEL", script)
    assert len(script.released) == 1
    assert loaded < add
    assert {"moorage.cni.adding", "moorage.cni.annotations"} - loaded == {"moorage.cni.adding"}


@pytest.mark.parametrize(
    ("verb", "stdin"),
    [
        ("ADD", b"{"),
        ("STATUS", json.dumps(program.config("1.1.0")).encode()),
        ("GC", json.dumps(program.config("1.1.0")).encode()),
        ("ADD", json.dumps(program.config("9.9.9")).encode()),
        ("UPDATE", b""),
        ("DEL", json.dumps(program.config(ipam={"vrf": "/"})).encode()),
    ],
    ids=["broken", "status", "gc", "old", "unknown", "invalid"],
)
def test_what_needs_no_server_is_answered_without_loading_grpc(verb: str, stdin: bytes) -> None:
    loaded = modules(CALL, {"CNI_COMMAND": verb}, stdin)
    assert "moorage.cni.handler" in loaded
    assert not loaded & {"grpc", "google", "google.protobuf", "asyncio", "ssl", "http.client"}
    assert not loaded & {"yaml", "logging", "socket", "subprocess", "moorage.client", "click"}
    # To make one class of values costs a process of one call as much as many modules do.
    assert not loaded & {"dataclasses", "inspect", "pathlib"}
    assert len(loaded) < 100, sorted(loaded)


def test_a_version_loads_what_reads_and_writes_json_and_nothing_else() -> None:
    loaded = modules(CALL, {"CNI_COMMAND": "VERSION"}, b'{"cniVersion":"1.0.0"}')
    needed = by_import_alone(("gc", "json", "time"))
    assert loaded - needed - set(NOT_ON_A_NODE) == {
        "moorage",
        "moorage.cni",
        "moorage.cni.jsontext",
        "moorage.cni.plugin",
        "moorage.cni.versions",
    }
    assert "typing" not in loaded
