"""The documentation builds, every link of it leads somewhere, and the API is in it."""

import pathlib
import subprocess
import sys

import pytest

from moorage.v1 import allocation_service_pb2, error_reason_pb2, pool_service_pb2

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The site, built as `make site` does: a link that leads nowhere fails it."""
    folder = tmp_path_factory.mktemp("site")
    mkdocs = pathlib.Path(sys.executable).with_name("mkdocs")
    ended = subprocess.run(
        [mkdocs, "build", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")
    return folder


def test_every_reason_has_an_entry(site: pathlib.Path) -> None:
    page = (site / "reference" / "errors.html").read_text()
    names = error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    reasons = [name.removeprefix("ERROR_REASON_") for name in names]
    assert [reason for reason in reasons[1:] if f'id="{reason}"' not in page] == []


@pytest.mark.parametrize("proto", [allocation_service_pb2, pool_service_pb2])
def test_every_method_and_message_has_an_entry(site: pathlib.Path, proto: object) -> None:
    file = proto.DESCRIPTOR  # type: ignore[attr-defined]  # a module
    page = (site / "reference" / f"{pathlib.PurePath(file.name).stem}.html").read_text()
    services = file.services_by_name.values()
    methods = [name for service in services for name in service.methods_by_name]
    named = [*methods, *file.message_types_by_name]
    assert [name for name in named if f'id="{name}"' not in page] == []
