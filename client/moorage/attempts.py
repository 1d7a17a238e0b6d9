"""The stamp that orders an Assign against a Release of the same attachment.

Taken once when a caller begins, sent with every try. What the server concludes from it is not
decided here.
"""

import time

from moorage.v1 import resources_pb2

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def stamp(*, at: int | None = None, ago: float = 0.0) -> resources_pb2.AttemptStamp | None:
    """Return the stamp of an attempt that begins now; None on a system that has no such clock.

    `at`: it began when the boot-time clock said so. `ago`: that many seconds before, or when the
    machine did.

    The boot-time clock goes on while the machine sleeps and is never set, so that of two attempts
    on one node the later one always has the higher stamp.
    """
    try:
        with open(BOOT_ID, encoding="utf-8") as file:
            boot_id = file.read().strip()
    except OSError:
        return None
    began = time.clock_gettime_ns(time.CLOCK_BOOTTIME) if at is None else at
    return resources_pb2.AttemptStamp(
        boot_id=boot_id, boot_time_ns=max(began - round(ago * 1e9), 1)
    )
