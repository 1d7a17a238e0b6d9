"""The CNI result of an ADD, in every version of the specification, and its reading in a CHECK."""

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from moorage.cni import addresses, errors, netconf

if TYPE_CHECKING:
    from moorage.v1 import resources_pb2

Fields = dict[str, object]

# One ip4 and one ip6 object instead of a list of addresses.
_SPLIT_BY_FAMILY = ("0.1.0", "0.2.0")
# Every address says its version.
_WITH_VERSION = ("0.3.0", "0.3.1", "0.4.0")


def render(allocations: "Sequence[resources_pb2.Allocation]", cni_version: str) -> bytes:
    """Renders the abbreviated result of an IPAM plugin: addresses, routes and name resolution."""
    fields: Fields = {"cniVersion": cni_version}
    if cni_version in _SPLIT_BY_FAMILY:
        fields |= {f"ip{_version(a)}": _split(a) for a in allocations}
    else:
        fields["ips"] = [_ip(a, cni_version in _WITH_VERSION) for a in allocations]
        fields |= _present({"routes": _routes(allocations)})
    dns = _dns(allocations)
    # Versions before 1.0.0 always have the object, be it empty.
    if dns or cni_version in _SPLIT_BY_FAMILY + _WITH_VERSION:
        fields["dns"] = dns
    return json.dumps(fields).encode() + b"\n"


def _ip(allocation: "resources_pb2.Allocation", with_version: bool) -> Fields:
    version: Fields = {"version": str(_version(allocation))} if with_version else {}
    gateway = _present({"gateway": allocation.gateway})
    return version | {"address": _interface(allocation)} | gateway


def _split(allocation: "resources_pb2.Allocation") -> Fields:
    rest = {"gateway": allocation.gateway, "routes": _routes([allocation])}
    return {"ip": _interface(allocation)} | _present(rest)


def _routes(allocations: "Iterable[resources_pb2.Allocation]") -> list[Fields]:
    # Two addresses of one pool bring the same routes; the second would fail to be installed.
    pairs = dict.fromkeys((r.destination, r.gateway) for a in allocations for r in a.routes)
    return [{"dst": destination} | _present({"gw": gateway}) for destination, gateway in pairs]


def _dns(allocations: "Iterable[resources_pb2.Allocation]") -> Fields:
    parts = [a.dns for a in allocations if a.HasField("dns")]
    return _present(
        {
            "nameservers": list(dict.fromkeys(n for dns in parts for n in dns.nameservers)),
            "domain": next((dns.domain for dns in parts if dns.domain), ""),
            "search": list(dict.fromkeys(s for dns in parts for s in dns.searches)),
            "options": list(dict.fromkeys(o for dns in parts for o in dns.options)),
        }
    )


def _present(fields: Mapping[str, object]) -> Fields:
    return {key: value for key, value in fields.items() if value}


def _interface(allocation: "resources_pb2.Allocation") -> str:
    return f"{allocation.address}/{allocation.prefix_length}"


def _version(allocation: "resources_pb2.Allocation") -> int:
    return ipaddress.ip_address(allocation.address).version


def previous_addresses(conf: netconf.NetConf) -> set[addresses.Address]:
    """Reads which addresses prevResult speaks of.

    Raises:
        CniError: INVALID_CONFIG, there is no prevResult, or it is malformed.
    """
    previous = netconf.section(conf.document, "prevResult")
    listed = previous.get("ips") or []
    if not previous or not isinstance(listed, list):
        rule = "no result of an ADD with a list of ips"
        raise netconf.invalid("prevResult", dict(previous), rule, "pass what ADD answered")
    return {_previous_address(entry) for entry in listed}


def _previous_address(entry: object) -> addresses.Address:
    text = entry.get("address") if isinstance(entry, dict) else None
    try:
        return addresses.parse_interface(str(text))
    except ValueError as error:
        raise netconf.invalid(
            "prevResult.ips", entry, str(error), "pass what ADD answered"
        ) from error


def compare(previous: set[addresses.Address], held: "Iterable[resources_pb2.Allocation]") -> None:
    """Holds prevResult against the server's word, address by address.

    Raises:
        CniError: CHECK_FAILED, naming every address that only one of the two knows.
    """
    assigned = {addresses.parse(allocation.address) for allocation in held}
    lost, unknown = previous - assigned, assigned - previous
    said = [
        *(f"{address} is configured but not assigned to this container" for address in lost),
        *(f"{address} is assigned to this container but not configured" for address in unknown),
    ]
    if said:
        raise errors.CniError(
            errors.Code.CHECK_FAILED,
            "; ".join(sorted(said)),
            "recreate the container: its addresses no longer are what ADD answered",
        )
