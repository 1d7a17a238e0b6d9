"""moorctl apply with wrong manifests: exit code and all of standard error, and nothing changed."""

import pytest

from bad_input import tables
from bad_input.ground import Ground
from ctl import program

pytestmark = pytest.mark.usefixtures("nothing_written")

# What stands on standard input, the exit code, and the lines of standard error.
Row = tuple[str | bytes, int, list[str]]

HERE = "standard input, document 1 (line 1)"
NO_NAME = 'must be lower-case letters, digits, "-" and "."; quote what looks like a number'
_TWO_LINES = tables.unprintable(r"a\nb")
NO_CIDR = "must be a CIDR such as 10.0.0.0/24:"


def manifest(
    spec: str = "{cidr: 192.168.0.0/24}", *, kind: str = "Pool", metadata: str = "{name: new}"
) -> str:
    """A manifest that is right in everything but this."""
    return f"apiVersion: moorage.dev/v1\nkind: {kind}\nmetadata: {metadata}\nspec: {spec}\n"


def pool(spec: str) -> str:
    return manifest(f"{{cidr: 192.168.0.0/24, {spec}}}")


def reservation(cidr: str) -> str:
    return manifest(f"{{cidrs: ['{cidr}']}}", kind="Reservation")


def one_problem(text: str, place: str, said: str) -> Row:
    """What moorctl sees by itself."""
    first = "moorctl: 1 problem in the manifests; nothing was changed"
    return text, 2, [first, f"  {HERE}: {place}: {said}"]


def no_yaml(text: str, said: str) -> Row:
    first = "moorctl: cannot read YAML; nothing was changed"
    return text, 2, [first, f"  standard input{said}"]


def refused(text: str, what: str, said: str, *facts: str, code: int = 2) -> Row:
    """What the server refuses."""
    lines = [f"moorctl: cannot apply {what}/new ({HERE}): {said}; nothing was changed"]
    return text, code, lines + [f"  {fact}" for fact in facts]


ROWS: dict[str, Row] = {
    "nothing": ("", 2, ["moorctl: there is no document in -"]),
    "no UTF-8": (
        b"\xff\xfe",
        2,
        ["moorctl: standard input is not text in UTF-8: invalid start byte"],
    ),
    "YAML that breaks off": no_yaml(
        "a: [1", ", line 1, column 6: expected ',' or ']', but got '<stream end>'"
    ),
    "NUL": no_yaml("\x00", ": unacceptable character #x0000: special characters are not allowed"),
    "a key twice": no_yaml("a: 1\na: 2", ", line 2, column 1: the key 'a' stands here twice"),
    "an unknown kind": one_problem(
        manifest(kind="Pol"),
        "kind",
        'must be one of Vrf, Node, Pool, Reservation; did you mean "Pool"?',
    ),
    "a name in capitals": one_problem(manifest(metadata="{name: New}"), "metadata.name", NO_NAME),
    "a name of 100 KB": one_problem(
        manifest(metadata=f"{{name: {tables.LONG}}}"), "metadata.name", NO_NAME
    ),
    "a label that YAML takes for a truth": one_problem(
        manifest(metadata="{name: new, labels: {zone: no}}"),
        "metadata.labels.zone",
        "must be text on both sides; put it in quotes",
    ),
    "a field that is misspelt": one_problem(
        pool("block_size: 26"),
        "spec.block_size",
        'is not a field of Pool; did you mean "blockSize"?',
    ),
    "a number as text": one_problem(
        pool("blockSize: '26'"), "spec.blockSize", "must be a whole number, not '26'"
    ),
    "host bits": one_problem(
        manifest("{cidr: 192.168.0.1/24}"),
        "spec.cidr",
        f"{NO_CIDR} 192.168.0.1/24 has host bits set",
    ),
    "a leading zero": one_problem(
        manifest("{cidr: 0192.168.0.0/24}"),
        "spec.cidr",
        f"{NO_CIDR} '0192.168.0.0/24' does not appear to be an IPv4 or IPv6 network",
    ),
    "a netmask": one_problem(
        manifest("{cidr: 192.168.0.0/255.255.255.0}"),
        "spec.cidr",
        f"{NO_CIDR} '192.168.0.0/255.255.255.0' needs a plain prefix length, and no zone",
    ),
    "a zone": one_problem(
        manifest('{cidr: "fe80::%eth0/64"}'),
        "spec.cidr",
        f"{NO_CIDR} 'fe80::%eth0/64' needs a plain prefix length, and no zone",
    ),
    "an IPv4-mapped range": one_problem(
        manifest('{cidr: "::ffff:192.168.0.0/120"}'),
        "spec.cidr",
        f"{NO_CIDR} it is IPv4-mapped; write 192.168.0.0/24",
    ),
    "no prefix length": one_problem(
        manifest("{cidr: 192.168.0.0}"),
        "spec.cidr",
        f"{NO_CIDR} '192.168.0.0' needs a plain prefix length, and no zone",
    ),
    "two fields that are wrong": refused(
        pool("gateway: 10.0.0.1, priority: 5000"),
        "pool",
        "spec.priority: is 5000; give -1000 to 1000;"
        ' spec.gateway: "10.0.0.1" is not inside 192.168.0.0/24; give what belongs to the pool',
    ),
    "an option with a newline": refused(
        pool(r'dns: {options: ["a\nb"]}'),
        "pool",
        f"spec.dns.options[0]: {_TWO_LINES}",
    ),
    "a reservation with host bits": one_problem(
        reservation("10.0.0.1/24"),
        "spec.cidrs[0]",
        f"{NO_CIDR} 10.0.0.1/24 has host bits set",
    ),
    "a range that overlaps": refused(
        manifest("{cidr: 10.0.0.0/25}"),
        "pool",
        '10.0.0.0/25 of pool "new" overlaps pool "web" of VRF "default";'
        " choose a CIDR outside of it",
        "POOL_OVERLAPS: cidr=10.0.0.0/25, conflicting_pool=web, pool=new, vrf=default",
        code=4,
    ),
    "an unknown VRF": refused(
        manifest(metadata="{name: new, vrf: nowhere}"),
        "pool",
        'there is no VRF "nowhere"; create it or correct the name',
        "VRF_NOT_FOUND: vrf=nowhere",
        code=3,
    ),
    "a second manifest that is wrong": (
        f"{manifest()}---\n{manifest('{cidr: x}', metadata='{name: other}')}",
        2,
        [
            "moorctl: 1 problem in the manifests; nothing was changed",
            f"  standard input, document 2 (line 6): spec.cidr: {NO_CIDR}"
            " 'x' does not appear to be an IPv4 or IPv6 network",
        ],
    ),
    "a resource twice": (
        f"{manifest()}---\n{manifest()}",
        2,
        [
            "moorctl: 1 problem in the manifests; nothing was changed",
            f"  standard input, document 2 (line 6): pool/new stands already in {HERE}",
        ],
    ),
}


@tables.each(ROWS)
def test_a_wrong_manifest_is_explained_to_its_place(ground: Ground, row: Row) -> None:
    stdin, code, lines = row
    moorctl = program.Moorctl(variables={"MOORAGE_SERVER": ground.server})
    ended = moorctl("apply", "-f", "-", stdin=stdin)
    assert ended.err.splitlines() == lines
    assert (ended.code, ended.out) == (code, "")
