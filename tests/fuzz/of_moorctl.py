"""The parsers of moorctl: manifests of its own and of Calico, and what kubectl prints of Calico."""

import contextlib
import io
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence

from fuzz.target import Target
from moorage.ctl import exits, inputs, manifests, mentions, node_lists, specs
from moorage.ctl.import_ import (
    dump,
    estate,
    export_file,
    go_ipam,
    holders,
    host_local,
    netbox,
    whereabouts,
)
from moorage.v1 import resources_pb2

_STANDARD_INPUT = ("-",)
# No file in it is named as an address.
_FILES = pathlib.Path(__file__).parent / "corpus" / "host-local"
_ORIGIN = holders.Origin(interface="eth0", cluster="a-cluster")


class _Stdin(io.TextIOWrapper):
    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")


@contextlib.contextmanager
def _given(data: bytes) -> Iterator[None]:
    """Gives standard input; what is said of it can be printed, and steers no terminal."""
    before, sys.stdin = sys.stdin, _Stdin(data)
    try:
        yield
    except exits.Failed as failure:
        _tell(failure.report)
        raise
    finally:
        sys.stdin = before


def _tell(report: exits.Report) -> None:
    for as_json in (False, True):
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            exits.tell(report, as_json=as_json)
        assert exits.printable(said.getvalue().replace("\n", "")) == said.getvalue().replace(
            "\n", ""
        )


def _reading(read: Callable[[Sequence[str]], object]) -> Callable[[bytes], None]:
    def feed(data: bytes) -> None:
        with _given(data):
            read(_STANDARD_INPUT)

    return feed


def _manifests(sources: Sequence[str]) -> None:
    for each in inputs.read(sources, "default"):
        assert each.resource.SerializeToString()
        written, place = manifests.write(each.resource), specs.Place(where="again")
        again = manifests.read(written, "default", place)
        assert again is not None
        # What was never stored has no times; what is Calico's may be empty here.
        if each.fields is None and not place.problems:
            assert again.resource == each.resource


def _mentions(sources: Sequence[str]) -> None:
    for each in mentions.read(sources, "default"):
        assert each.name.isascii()


def _dumps(sources: Sequence[str]) -> None:
    _left(dump.read(sources, "default", _ORIGIN))


def _of_whereabouts(sources: Sequence[str]) -> None:
    origin = whereabouts.Origin(vrf="default", network="lan", interface="net1", cluster="")
    _left(whereabouts.read(sources, origin))


def _of_host_local(sources: Sequence[str]) -> None:
    found = host_local.read(
        sources[0],
        str(_FILES),
        vrf="default",
        workload=resources_pb2.Workload(node="n"),
        interface="eth0",
        node_selector="",
    )
    _left(found)


def _of_go_ipam(sources: Sequence[str]) -> None:
    _left(go_ipam.read(sources, "default"))


def _of_netbox(sources: Sequence[str]) -> None:
    _left(netbox.read(sources, "default"))


def _of_moorage(sources: Sequence[str]) -> None:
    for section in export_file.read(sources[0], into="blue"):
        assert section.vrf == "blue"
        _left(section.estate())


def _left(found: estate.Estate) -> None:
    """What another IPAM left can be told, and sent."""
    for note in found.notes:
        exits.printable(note).encode(errors="backslashreplace")
    assert all(kept.SerializeToString() for block in found.blocks for kept in block.sticky)
    for each in (*found.addresses, *(held for block in found.blocks for held in block.addresses)):
        assert each.SerializeToString()
    for manifest in found.manifests:
        assert manifest.resource.SerializeToString()


def _lists(sources: Sequence[str]) -> None:
    for each in node_lists.read(sources[0], network="pods", interface="eth0"):
        assert each.network or each.container_id is not None


TARGETS = (
    Target(
        name="manifests",
        feed=_reading(_manifests),
        declared=(exits.Failed,),
        longest=4096,
        seconds=0.1,
    ),
    Target(
        name="mentions",
        feed=_reading(_mentions),
        declared=(exits.Failed,),
        longest=4096,
        seconds=0.1,
    ),
    Target(
        name="dumps",
        feed=_reading(_dumps),
        declared=(exits.Failed,),
        longest=4096,
        seconds=0.1,
    ),
    Target(
        name="whereabouts",
        feed=_reading(_of_whereabouts),
        declared=(exits.Failed,),
        longest=4096,
        seconds=0.1,
    ),
    Target(
        name="host-local",
        feed=_reading(_of_host_local),
        declared=(exits.Failed,),
        longest=4096,
        seconds=0.1,
    ),
    Target(
        name="go-ipam",
        feed=_reading(_of_go_ipam),
        declared=(exits.Failed,),
        longest=4096,
        seconds=0.1,
    ),
    Target(
        name="netbox",
        feed=_reading(_of_netbox),
        declared=(exits.Failed,),
        longest=4096,
        seconds=0.05,
    ),
    Target(
        name="exports",
        feed=_reading(_of_moorage),
        declared=(exits.Failed,),
        longest=8192,
        seconds=0.05,
    ),
    Target(
        name="node-lists",
        feed=_reading(_lists),
        declared=(exits.Failed,),
        longest=4096,
        seconds=0.01,
    ),
)
