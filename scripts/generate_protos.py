# /// script
# requires-python = ">=3.11"
# dependencies = ["grpcio-tools==1.76.0", "mypy-protobuf==5.1.0", "setuptools<81"]
# ///
"""Writes the Python code of proto/moorage/v1 into client/moorage/v1.

Run by `make protos`, in an environment of its own: code made by an old protoc
loads on old and new protobuf runtimes, never the other way round, so the
generator is older than the runtime that the server is locked to.
"""

import pathlib
import sys

import grpc_tools
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROTOS = ROOT / "proto"
TARGET = ROOT / "client"


def generate(target: pathlib.Path) -> None:
    """Generates messages, stubs and their types below `target`."""
    sources = sorted(str(path) for path in (PROTOS / "moorage").rglob("*.proto"))
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    outputs = [f"--{kind}_out={target}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    arguments = ["protoc", f"-I{PROTOS}", f"-I{well_known}", *outputs, *sources]
    if protoc.main(arguments) != 0:
        sys.exit(1)
    for source in sources:
        if "service " not in pathlib.Path(source).read_text():
            drop_empty_stubs(target / pathlib.Path(source).relative_to(PROTOS))


def drop_empty_stubs(proto: pathlib.Path) -> None:
    """Removes the service modules that protoc writes for a proto without services."""
    for suffix in ("py", "pyi"):
        proto.with_name(f"{proto.stem}_pb2_grpc.{suffix}").unlink(missing_ok=True)


if __name__ == "__main__":
    generate(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
