"""How an API server misbehaves: each makes what ApiServer.misbehave takes.

api.misbehave = faults.refusing(429, retry_after=1)
api.misbehave = faults.only("/pods", faults.truncating())
"""

import json
from collections.abc import Callable

from harness.kube.api_server import Handler
from harness.kube.statuses import status

Fault = Callable[[Handler], None]


def refusing(code: int, *, retry_after: int | None = None) -> Fault:
    """Every request is refused with a Status."""

    def misbehave(handler: Handler) -> None:
        details: dict[str, object] = (
            {} if retry_after is None else {"retryAfterSeconds": retry_after}
        )
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        body = json.dumps(status(code, details=details)).encode()
        handler.answer(code, body, headers=headers)

    return misbehave


def answering(body: bytes, code: int = 200) -> Fault:
    """Every request is answered with this, whatever it asks for."""
    return lambda handler: handler.answer(code, body)


def truncating(beginning: bytes = b'{"kind":"PodList","items":[') -> Fault:
    """The connection ends in the middle of every answer."""

    def misbehave(handler: Handler) -> None:
        handler.answer(200, beginning, length=len(beginning) + 1000)
        handler.close_connection = True

    return misbehave


def silent() -> Fault:
    """Nothing is answered at all, until the server stops."""
    return _wait


def silent_watches(*, hanging_up: bool = False) -> Fault:
    """Watches begin, and never say anything."""

    def misbehave(handler: Handler) -> None:
        if not handler.is_watch:
            handler.proceed()
            return
        handler.begin_chunks(hanging_up=hanging_up)
        handler.api.watching.release()
        _wait(handler)

    return misbehave


def broken_watches() -> Fault:
    """The connection of a watch ends without its last chunk, in the middle of a line."""

    def misbehave(handler: Handler) -> None:
        if not handler.is_watch:
            handler.proceed()
            return
        handler.begin_chunks()
        handler.chunk(b'{"type":"ADDED","object":{"kind":')
        handler.api.watching.release()
        handler.close_connection = True

    return misbehave


def only(part: str, fault: Fault) -> Fault:
    """Only requests whose path has `part` in it; the others are answered well."""
    return lambda handler: fault(handler) if part in handler.path else handler.proceed()


def times(count: int, fault: Fault) -> Fault:
    """Only so many requests; the others are answered well."""
    left = [count]

    def misbehave(handler: Handler) -> None:
        left[0] -= 1
        if left[0] >= 0:
            fault(handler)
        else:
            handler.proceed()

    return misbehave


def _wait(handler: Handler) -> None:
    handler.api.stopping.wait(60)
    handler.close_connection = True
