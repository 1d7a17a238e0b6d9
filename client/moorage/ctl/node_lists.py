"""Lists of what a node has: Moorage's own, and the pod sandboxes that crictl shows.

What becomes of them is shown by `moorage.ctl.reconcile`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from moorage.ctl import exits, specs
from moorage.ctl.ipam import files
from moorage.v1 import resources_pb2

_OWN = '{"attachments": [{"network": "...", "containerId": "...", "interface": "eth0"}]}'
_CRICTL = "crictl pods -o json"


def read(source: str, *, network: str, interface: str) -> list[resources_pb2.Attachment]:
    """Return the attachments that a file lists, "-" being standard input.

    Raises exits.Failed unless it is wholly such a list: what is overlooked would be released.
    """
    document = files.read(source)
    try:
        if not isinstance(document, dict):
            raise TypeError("it is no object")
        if "attachments" in document:
            return [_own(_mapping(each)) for each in _list(document["attachments"])]
        ids = [_text(_mapping(each)["id"]) for each in _list(document["items"])]
    except (KeyError, TypeError) as error:
        raise exits.refused(
            f"{source} is not a list of attachments ({type(error).__name__}: {error}); "
            f"give the output of: {_CRICTL}; or {_OWN}"
        ) from error
    if not network:
        raise exits.refused(
            f"{source} lists sandboxes, and not on which network they are; name it: --network"
        )
    # Whatever its state: one that is not ready has its network until it is removed.
    return [
        resources_pb2.Attachment(network=network, container_id=each, interface=interface)
        for each in ids
    ]


def _own(item: Mapping[str, object]) -> resources_pb2.Attachment:
    return resources_pb2.Attachment(
        network=_text(item.get("network", "")),
        container_id=_text(item["containerId"]),
        interface=_text(item["interface"]),
    )


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"{specs.shown(value)} is no object")
    return value


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise TypeError(f"{specs.shown(value)} is no list")
    return value


def _text(value: object) -> str:
    if not specs.is_text(value):
        raise TypeError(f"{specs.shown(value)} is no text")
    return value
