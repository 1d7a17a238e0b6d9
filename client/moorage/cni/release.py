"""One release of an attachment, complete in itself: it may be sent long after its DEL."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What is to be released, where, and when its DEL began; without a boot id, nobody knows.

    The server holds the stamp against that of the newest assign, so that a release which comes
    late never frees what a later ADD of the same attachment was given.
    """

    server: str
    vrf: str
    network: str
    container_id: str
    interface: str
    boot_id: str
    boot_time_ns: int

    @property
    def attachment(self) -> tuple[str, str, str, str, str]:
        """What it is about; of two releases of the same one, the later says all."""
        return self.server, self.vrf, self.network, self.container_id, self.interface
