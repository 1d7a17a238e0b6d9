"""One release of an attachment, complete in itself: it may be sent long after its DEL."""

from typing import TYPE_CHECKING, NamedTuple

from moorage import tls

if TYPE_CHECKING:
    from moorage.cni.invocation import Invocation
    from moorage.cni.netconf import NetConf


class Release(NamedTuple):
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
    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    tls_token: str = ""

    @property
    def files(self) -> tls.Tls | None:
        """The certificates to call the server with; None: in plain text."""
        return tls.of(self.tls_ca, self.tls_certificate, self.tls_key, self.tls_token)

    @property
    def attachment(self) -> tuple[str, str, str, str, str]:
        """What it is about; of two releases of the same one, the later says all."""
        return self.server, self.vrf, self.network, self.container_id, self.interface


def of(conf: "NetConf", call: "Invocation") -> Release:
    """Returns the release of what this call is about, as of when it began."""
    from moorage import attempts  # noqa: PLC0415 - loads protobuf

    stamp = attempts.stamp(at=call.began)
    return Release(
        server=conf.server,
        vrf=conf.vrf,
        network=conf.name,
        container_id=call.container_id,
        interface=call.interface,
        boot_id=stamp.boot_id if stamp else "",
        boot_time_ns=stamp.boot_time_ns if stamp else 0,
        **(
            {f"tls_{name}": path for name, path in conf.files._asdict().items()}
            if conf.files
            else {}
        ),
    )
