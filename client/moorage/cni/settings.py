"""What the network configuration says about assigning; only ADD needs it, and STATUS checks it."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from moorage.cni import addresses, errors, netconf, origin
from moorage.cni.addresses import Family

MOST_POOLS = 16
LONGEST_CLUSTER = 128
LONGEST_FILE = 1 << 20
# Where Calico's node agent leaves the name: a node that moves from there keeps its name, and with
# it its blocks.
NODE_NAME_FILE = "/var/lib/calico/nodename"


class Cluster(NamedTuple):
    """How to reach the Kubernetes API: by `kubeconfig`, or by the rest; empty is absent."""

    kubeconfig: str = ""
    api_root: str = ""
    ca_file: str = ""
    token_file: str = ""
    client_certificate: str = ""
    client_key: str = ""


class Settings(NamedTuple):
    """What the configuration says about assigning; annotations may say otherwise.

    `cluster_uid` is of which cluster this node is, empty where that is not said; `cluster` is how
    to reach its API.
    """

    families: tuple[Family, ...]
    pools: Mapping[Family, tuple[str, ...]]
    pool_origins: Mapping[Family, origin.Origin]
    one_address_per_family: bool
    node_name: str
    node_name_file: str
    host_name: str
    cluster_uid: str
    cluster: Cluster | None


def parse(conf: netconf.NetConf) -> Settings:
    """Reads it; touches no file.

    Raises:
        CniError: INVALID_CONFIG, naming key and value.
    """
    on = {4: _switch(conf.ipam, "assign_ipv4", True), 6: _switch(conf.ipam, "assign_ipv6", False)}
    origins = {family: _pool_origin(conf.ipam, family) for family in addresses.FAMILIES}
    return Settings(
        families=tuple(family for family in addresses.FAMILIES if on[family]),
        pools={family: _pools(origins[family], family) for family in origins},
        pool_origins=origins,
        one_address_per_family=_ip_addrs(conf.ipam) == "strict",
        node_name=_either(conf, "nodename"),
        node_name_file=_either(conf, "nodename_file"),
        host_name=_either(conf, "hostname"),
        cluster_uid=_cluster_uid(conf.ipam),
        cluster=_cluster(conf),
    )


def node_name(chosen: Settings, default_file: str = NODE_NAME_FILE) -> str:
    """Finds the name of this node: the configured one, that of a file, or the host's.

    A file that is configured must say it; the default one counts where it does.

    Raises:
        CniError: INVALID_CONFIG, the configured file cannot be read or is empty.
    """
    if chosen.node_name:
        return chosen.node_name
    if chosen.node_name_file:
        return read_line("nodename_file", chosen.node_name_file)
    found = _line_if_any(default_file) or chosen.host_name
    return found or os.uname().nodename.strip().lower()


def _line_if_any(path: str) -> str:
    try:
        return read_line("nodename_file", path)
    except errors.CniError:
        return ""


def read_text(key: str, path: str) -> str:
    """Reads a small text file that a key of the configuration names.

    Raises:
        CniError: INVALID_CONFIG, it cannot be read, is too long or is no text.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = file.read(LONGEST_FILE + 1)
    except (OSError, ValueError) as error:
        rule = f"cannot be read ({type(error).__name__})"
        raise netconf.invalid(key, path, rule, "name a text file this program can read") from error
    if len(content) > LONGEST_FILE:
        raise netconf.invalid(key, path, "the file is too long", "name the file that is meant")
    return content


def read_line(key: str, path: str) -> str:
    """Reads a file of one line, blanks around it taken away; errors as in read_text."""
    line = read_text(key, path).strip()
    if not line or not line.isprintable():
        raise netconf.invalid(key, path, "the file is not one line of text", "write one line")
    return line


def _switch(ipam: netconf.Object, key: str, default: bool) -> bool:
    value = ipam.get(key)
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        rule = "neither a string nor a boolean"
        raise netconf.invalid(f"ipam.{key}", value, rule, 'write "true" or "false"')
    # As in Calico: only the exact opposite of the default changes it.
    return value != "false" if default else value == "true"


def _pool_origin(ipam: netconf.Object, family: Family) -> origin.Origin:
    key = f"ipv{family}_pools"
    return netconf.written(f"ipam.{key}", ipam.get(key))


def _pools(source: origin.Origin, family: Family) -> tuple[str, ...]:
    items = origin.strings(source, MOST_POOLS)
    return tuple(addresses.pool(source, item, family) for item in items)


def _ip_addrs(ipam: netconf.Object) -> str:
    value = netconf.text(ipam, "ip_addrs", "ipam.") or "any"
    if value not in ("any", "strict"):
        raise netconf.invalid(
            "ipam.ip_addrs", value, 'neither "any" nor "strict"', "write one of them"
        )
    return value


def _cluster_uid(ipam: netconf.Object) -> str:
    uid = netconf.text(ipam, "cluster", "ipam.")
    if len(uid) > LONGEST_CLUSTER:
        rule = f"{len(uid)} characters; at most {LONGEST_CLUSTER} are allowed"
        raise netconf.invalid(
            "ipam.cluster", uid, rule, "write the uid of the cluster's namespace kube-system"
        )
    return uid


def _either(conf: netconf.NetConf, key: str) -> str:
    return netconf.text(conf.ipam, key, "ipam.") or netconf.text(conf.document, key)


def _cluster(conf: netconf.NetConf) -> Cluster | None:
    within, path = conf.ipam, "ipam."
    if not netconf.section(within, "kubernetes", path):
        within, path = conf.document, ""
    written = netconf.section(within, "kubernetes", path)
    if not written:
        return None
    key = f"{path}kubernetes"
    cluster = _cluster_of(written, f"{key}.")
    if not (cluster.kubeconfig or cluster.api_root):
        rule = "names neither a kubeconfig nor an api_root"
        raise netconf.invalid(key, dict(written), rule, "write one of the two")
    return cluster


def _cluster_of(written: netconf.Object, path: str) -> Cluster:
    def text(key: str) -> str:
        return netconf.text(written, key, path)

    return Cluster(
        kubeconfig=text("kubeconfig"),
        api_root=text("api_root") or text("k8s_api_root"),
        ca_file=text("ca_file"),
        token_file=text("token_file"),
        client_certificate=text("client_certificate"),
        client_key=text("client_key"),
    )
