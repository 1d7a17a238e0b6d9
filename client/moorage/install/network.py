"""The network list that the runtime is to use: as its administrator wrote it, and completed."""

import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from moorage.install import errors

IPAM_TYPE = "moorage"
# The first of these that is there names the node; see settings.node_name.
_NAMING = ("nodename", "nodename_file", "hostname")


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A list, and what it is to say of where it is; empty is nothing. What it says itself wins.

    `tls` has the paths of files, as `ipam.tls` of the list has them.
    """

    source: pathlib.Path
    server: str = ""
    tls: Mapping[str, str] = field(default_factory=dict)
    node_name: str = ""
    cluster_uid: str = ""


def read(wanted: Network, ask: Callable[[], str] = str) -> bytes:
    """Return the list, once it is seen to be one whose pods Moorage addresses.

    `ask` tells the cluster's uid, where it is wanted and neither the list nor `wanted` has it. A
    list that lacks nothing is returned as it is written.

    Raises:
        InstallError: it cannot be read, or a runtime could do nothing with it.
    """
    try:
        content = wanted.source.read_bytes()
        plugins = _of_moorage(document := json.loads(content))
        if not plugins:
            raise errors.unusable(
                wanted.source,
                f'has no plugin with "ipam": {{"type": "{IPAM_TYPE}"}} in its "plugins"',
                "write a CNI network list with one",
            )
        if not _complete(plugins, wanted, ask):
            return content
        return json.dumps(document, indent=2, allow_nan=False).encode() + b"\n"
    except OSError as error:
        why = f"cannot be read: {(error.strerror or str(error)).lower()}"
        raise errors.unusable(wanted.source, why, "name a network list") from error
    except ValueError as error:
        raise errors.unusable(wanted.source, f"is no JSON: {error}", "correct it") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plugin:
    """An entry of the list, and the object in it that is ours."""

    entry: dict[str, object]
    ipam: dict[str, object]

    def names_its_node(self) -> bool:
        return any(part.get(key) for part in (self.ipam, self.entry) for key in _NAMING)

    def complete(self, known: Mapping[str, object]) -> bool:
        """Add what is known and missing; says whether anything was."""
        missing = {key: value for key, value in known.items() if value and not self.ipam.get(key)}
        self.ipam.update(missing)
        return bool(missing)


def _of_moorage(document: object) -> list[_Plugin]:
    plugins = document.get("plugins") if isinstance(document, dict) else None
    entries = plugins if isinstance(plugins, list) else []
    found = ((each, each.get("ipam")) for each in entries if isinstance(each, dict))
    return [
        _Plugin(entry=entry, ipam=ipam)
        for entry, ipam in found
        if isinstance(ipam, dict) and ipam.get("type") == IPAM_TYPE
    ]


def _complete(plugins: Sequence[_Plugin], wanted: Network, ask: Callable[[], str]) -> bool:
    """Add what is missing; says whether anything was."""
    is_of_one = all(each.ipam.get("cluster") for each in plugins)
    uid = "" if is_of_one else wanted.cluster_uid or ask()
    completed = [each.complete(_known(each, wanted, uid)) for each in plugins]
    return any(completed)


def _known(plugin: _Plugin, wanted: Network, uid: str) -> Mapping[str, object]:
    name = "" if plugin.names_its_node() else wanted.node_name
    return {"server": wanted.server, "tls": wanted.tls, "nodename": name, "cluster": uid}
