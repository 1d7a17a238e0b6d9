"""The list that comes with GC: every attachment of the network that is still valid on this node."""

from moorage.cni import errors, invocation, netconf

KEY = "cni.dev/valid-attachments"

Pair = tuple[str, str]  # container id and interface


def read(conf: netconf.NetConf) -> list[Pair] | None:
    """Returns the list; None where there is none, which is not the same as an empty one.

    Raises:
        CniError: INVALID_CONFIG, it is no such list; what cannot be read may be valid.
    """
    # A runtime that has no list to give leaves the key out, or says null, as Go does for one.
    value = conf.document.get(KEY)
    if value is None:
        return None
    if not isinstance(value, list):
        raise _invalid(KEY, value, "not a list")
    return [_pair(f"{KEY}[{at}]", item) for at, item in enumerate(value)]


def _pair(key: str, item: object) -> Pair:
    if not isinstance(item, dict):
        raise _invalid(key, item, "not an object")
    container_id, interface = item.get("containerID"), item.get("ifname")
    if not isinstance(container_id, str) or not invocation.is_identifier(container_id):
        raise _invalid(f"{key}.containerID", container_id, "not a container id")
    if not isinstance(interface, str) or not invocation.is_interface(interface):
        raise _invalid(f"{key}.ifname", interface, "not an interface name")
    return container_id, interface


def _invalid(key: str, value: object, rule: str) -> errors.CniError:
    return netconf.invalid(key, value, rule, 'write [{"containerID": "...", "ifname": "eth0"}]')
