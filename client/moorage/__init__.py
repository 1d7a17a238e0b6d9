"""Moorage for nodes and programs: the client, the CNI plugin and moorctl.

    with moorage.Client("127.0.0.1:7711") as client:
        pool = client.get_pool("web")

Resources are the messages of `moorage.v1.resources_pb2`. Importing this package loads nothing
else, not even `typing`: a program that needs none of it (the CNI plugin that is asked for its
versions) starts at once. Each name is loaded when it is first touched.
"""

TYPE_CHECKING = False  # as `typing` has it, which costs half of an interpreter's start
if TYPE_CHECKING:
    from moorage.client import Client
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
else:
    _ELSEWHERE = {"Client": "moorage.client", "Tls": "moorage.tls"}

    def __getattr__(name: str) -> object:
        """Load what is offered here, when it is asked for."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415 - see above

        found = getattr(import_module(_ELSEWHERE.get(name, "moorage.errors")), name)
        globals()[name] = found
        return found


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
