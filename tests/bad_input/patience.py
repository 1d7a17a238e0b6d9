"""How long something may take."""

import contextlib
import time
from collections.abc import Iterator


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fails where the block takes longer."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds
