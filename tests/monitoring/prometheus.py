"""Prometheus and its promtool, of Debian's package, which is fetched once."""

import pathlib

import pytest

from e2e import toolchain


def program(name: str) -> pathlib.Path:
    """One of the package's programs; the test is skipped where it cannot be had."""
    try:
        return toolchain.package("prometheus") / "usr" / "bin" / name
    except toolchain.UnavailableError as error:
        pytest.skip(f"{name} cannot be had here: {error}")
