"""What `import moorage` offers, and what it costs."""

import importlib.metadata
import pathlib
import subprocess
import sys

import pytest

import moorage
from moorage import attempts

PUBLIC = [
    "Client",
    "Conflict",
    "CursorLost",
    "DeadlineExceeded",
    "Denied",
    "Exhausted",
    "InvalidRequest",
    "MoorageError",
    "NotFound",
    "OutcomeUnknown",
    "ServerFault",
    "Tls",
    "Unavailable",
    "Violation",
    "__version__",
]


def test_the_public_names_are_these() -> None:
    assert moorage.__all__ == PUBLIC
    assert all(hasattr(moorage, name) for name in PUBLIC)


def test_a_name_that_is_not_public_is_missed() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Klient'"):
        getattr(moorage, "Klient")  # noqa: B009 - mypy would refuse the plain spelling


def test_the_version_is_that_of_the_distribution() -> None:
    assert moorage.__version__ == importlib.metadata.version("moorage")


@pytest.mark.parametrize(
    ("statement", "loaded"),
    [
        ("import moorage", False),
        ("import moorage.errors, moorage.names", False),
        ("import moorage; moorage.NotFound", False),
        ("import moorage; moorage.Client", True),
        ("from moorage import Client", True),
    ],
)
def test_grpc_is_loaded_with_the_client_only(statement: str, loaded: bool) -> None:
    check = "import sys; print('grpc' in sys.modules, 'google.protobuf' in sys.modules)"
    output = subprocess.check_output([sys.executable, "-c", f"{statement}; {check}"], text=True)
    assert output.split() == [str(loaded)] * 2


def test_a_system_without_a_boot_id_gives_no_stamp(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(attempts, "BOOT_ID", tmp_path / "none")
    assert attempts.stamp() is None
