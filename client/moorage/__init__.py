"""Moorage for nodes and programs: the client, the CNI plugin and moorctl.

    with moorage.Client("127.0.0.1:7711") as client:
        pool = client.get_pool("web")

Resources are the messages of `moorage.v1.resources_pb2`. Importing this package loads no gRPC, so
that a program which needs none (the CNI plugin that is asked for its versions) starts at once; it
is loaded when `Client` is first touched.
"""

import importlib
from typing import TYPE_CHECKING

from moorage.errors import (
    Conflict,
    CursorLost,
    DeadlineExceeded,
    Denied,
    Exhausted,
    InvalidRequest,
    MoorageError,
    NotFound,
    OutcomeUnknown,
    ServerFault,
    Unavailable,
    Violation,
)
from moorage.tls import Tls

if TYPE_CHECKING:
    from moorage.client import Client
else:

    def __getattr__(name: str) -> object:
        """Load the client, and gRPC with it, when it is asked for."""
        if name != "Client":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return importlib.import_module("moorage.client").Client


__version__ = "0.1.0"

__all__ = [
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
