"""Builds the plugin for nodes without Python, for each kind of processor: `make forwarder`."""

import os
import pathlib
import shutil
import subprocess
import sys
from typing import Final

SOURCE: Final = pathlib.Path(__file__).resolve().parent.parent / "client" / "forwarder"
ARCHITECTURES: Final = ("amd64", "arm64")


def main(target: pathlib.Path) -> None:
    """Writes a program for each into `target`, and says how large it is."""
    target.mkdir(parents=True, exist_ok=True)
    for architecture in ARCHITECTURES:
        program = target / f"moorage-forwarder-linux-{architecture}"
        build(program, GOOS="linux", GOARCH=architecture)
        print(f"{program} {program.stat().st_size / 1e6:.1f} MB")


def build(program: pathlib.Path, **machine: str) -> None:
    """Builds it, of the library that comes with the compiler alone: the same bytes each time."""
    command = [compiler(), "build", "-trimpath", "-ldflags=-s -w", "-buildvcs=false"]
    # Nothing is downloaded: not another compiler either.
    only = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOPROXY": "off"}
    # Whatever whoever builds prefers otherwise: for every processor of the kind.
    only |= {"GOFLAGS": "", "GOEXPERIMENT": "", "GOAMD64": "v1", "GOARM64": "v8.0"}
    subprocess.run(
        [*command, "-o", str(program.resolve()), "."],
        cwd=SOURCE,
        env=os.environ | only | machine,
        check=True,
    )


def compiler() -> str:
    """The one beside the Python that runs this, else the machine's."""
    found = shutil.which("go", path=str(pathlib.Path(sys.executable).parent)) or shutil.which("go")
    if found is None:
        raise SystemExit("there is no Go; `make forwarder` installs one")
    return found


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
