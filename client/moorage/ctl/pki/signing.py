"""What goes wrong while something is signed, as moorctl says it; the library it takes."""

import contextlib
import importlib
import pathlib
from collections.abc import Iterator
from types import ModuleType

import click

from moorage.ctl import exits

FOLDER = click.Path(path_type=pathlib.Path, file_okay=False)


@contextlib.contextmanager
def doing(action: str) -> Iterator[ModuleType]:
    """Give `moorage.ctl.pki.authority`; what fails inside is reported as "cannot <action>: ..."."""
    try:
        yield importlib.import_module("moorage.ctl.pki.authority")
    except ImportError as error:
        raise exits.refused(f"cannot {action}: {error}; install moorage[pki]") from error
    except (OSError, ValueError) as error:
        raise exits.refused(f"cannot {action}: {error}") from error
