"""What is refused in a manifest before the server is asked; nobody listens in these tests."""

import itertools
import pathlib

import pytest

from ctl import program
from moorage.ctl import inputs, kinds, manifests, specs
from moorage.v1 import resources_pb2


def manifest(spec: str = "{cidr: 10.0.0.0/24}", *, kind: str = "Pool", **metadata: str) -> str:
    """A manifest with one thing that matters to the test."""
    given = "".join(f", {key}: {text}" for key, text in metadata.items() if key != "name")
    name = metadata.get("name", "web")
    return (
        f"apiVersion: moorage.dev/v1\nkind: {kind}\nmetadata: {{name: {name}{given}}}\n"
        f"spec: {spec}\n"
    )


def bomb(before: str, after: str) -> str:
    """A few mappings of which each names the one before eight times."""
    first = "a: &a {k: 1, l: 2}\n"
    return first + "".join(
        f"{name}: &{name} {{{before}{', '.join([f'*{known}'] * 8)}{after}}}\n"
        for known, name in itertools.pairwise("abcdefghij")
    )


HERE = "standard input, document 1 (line 1)"

REFUSED = [
    # the document
    ("- 1", "must be a mapping of the fields of a manifest"),
    ("a: [1", "standard input, line 1, column 6"),
    ("a: 1\na: 2", "standard input, line 2, column 1: the key 'a' stands here twice"),
    ('{"b": 1}\n{"a": 1, "a": 2}', "document 2 (line 2): the key 'a' stands here twice"),
    ("{a: 1, a: 2}", "standard input, line 1, column 8: the key 'a' stands here twice"),
    ("- " * 100_000, "standard input is nested too deeply"),
    ("? [1]\n: 2", "found unhashable key"),
    ("\x00", "special characters are not allowed"),
    ("!!python/object:os.system {}", "could not determine a constructor"),
    ("[" * 20_000, "standard input is nested too deeply"),
    ("a: !!int one", "standard input, line 1, column 4: not a value of int"),
    ("a: !!set b", "standard input, line 1, column 4: expected a mapping node"),
    ("a: !!bool maybe", "line 1, column 4: not a value of bool"),
    ("a: 2020-13-99", "line 1, column 4: not a value of timestamp"),
    ("a: !!timestamp x", "line 1, column 4: not a value of timestamp"),
    (manifest("{cidr: 0x" + "f" * 4000 + "}"), "a number that is too large"),
    ('{"a": ' + "9" * 5000 + "}", "standard input, line 1, column 7: not a value of int"),
    (bomb("<<: [", "]"), "more than 10000 keys are merged"),
    (
        f"a: &a {{{', '.join(f'k{at}: {at}' for at in range(500))}}}\n"
        f"b: [{', '.join(['{<<: *a}'] * 21)}]",
        "more than 10000 keys are merged",
    ),
    ("a: &a {<<: *a}", "line 1, column 4: a mapping that is merged into itself"),
    (f"{bomb('x: [', ']')}kind: *j", "kind: must be one of Vrf, Node, Pool, Reservation"),
    ("", "there is no document in -"),
    ("---\n---\n", "there is no document in -"),
    ("kind: List\nitems: 1", "`items` of a List must be a list"),
    # the envelope
    ("kind: Pool\nmetadata: {name: web}\nspec: {cidr: 10.0.0.0/24}", "apiVersion: must be moorage"),
    (
        manifest(kind="Pol"),
        'kind: must be one of Vrf, Node, Pool, Reservation; did you mean "Pool"',
    ),
    (manifest(kind="[Pool]"), "kind: must be one of Vrf, Node, Pool, Reservation"),
    (manifest() + "spek: {}", 'spek: is not a field of a manifest; did you mean "spec"?'),
    # the metadata
    (manifest(name="Web"), "metadata.name: must be lower-case letters"),
    (manifest(name="12"), "metadata.name: must be lower-case letters"),
    (manifest(name="a" * 254), "metadata.name: must be lower-case letters"),
    (
        manifest(vrff="blue"),
        "metadata.vrff: is not a field of the metadata of a Pool; did you mean",
    ),
    (
        manifest("{}", kind="Vrf", vrf="blue"),
        "metadata.vrf: is not a field of the metadata of a Vrf",
    ),
    (manifest(labels="{zone: 1}"), "metadata.labels.zone: must be text on both sides"),
    (manifest(labels="{zone: no}"), "metadata.labels.zone: must be text on both sides"),
    (manifest(labels='{zone: "\\ud800"}'), "metadata.labels.zone: must be text on both sides"),
    (manifest(labels="[zone]"), "metadata.labels: must be a mapping of text to text"),
    # the spec
    (manifest("{cdir: 10.0.0.0/24}"), 'spec.cdir: is not a field of Pool; did you mean "cidr"?'),
    (
        manifest("{block_size: 26}"),
        'spec.block_size: is not a field of Pool; did you mean "blockSi',
    ),
    (manifest("{uid: x}"), "spec.uid: is not a field of Pool; its fields are cidr, blockSize"),
    (manifest("{labels: {}}"), "spec.labels: is not a field of Pool"),
    (manifest("{x: 1}", kind="Node"), "spec.x: is not a field of Node; its fields are none"),
    (manifest("{cidr: 10}"), "spec.cidr: must be text in quotes, not 10"),
    (manifest('{blockSize: "26"}'), "spec.blockSize: must be a whole number, not '26'"),
    (manifest("{blockSize: true}"), "spec.blockSize: must be a whole number, not True"),
    (manifest("{blockSize: 26.0}"), "spec.blockSize: must be a whole number, not 26.0"),
    (manifest("{blockSize: 99999999999}"), "spec: Failed to parse blockSize"),
    (manifest('{disabled: "no"}'), "spec.disabled: must be true or false, not 'no'"),
    (manifest("{allowedUses: WORKLOAD}"), "spec.allowedUses: must be a list"),
    (manifest("{allowedUses: [WORKLOD]}"), "spec.allowedUses[0]: must be one of WORKLOAD, TUNNEL"),
    (manifest("{assignmentMode: UNSPECIFIED}"), "spec.assignmentMode: must be one of AUTOMATIC"),
    (manifest("{assignmentMode: 2}"), "spec.assignmentMode: must be one of AUTOMATIC, MANUAL"),
    (manifest("{dns: {nameserver: []}}"), "spec.dns.nameserver: is not a field of Dns; did you"),
    (
        manifest("{routes: [{destination: 3}]}"),
        "spec.routes[0].destination: must be text in quotes",
    ),
    (manifest("{dns: &a {nameservers: [*a]}}"), "spec.dns.nameservers[0]: must be text in quotes"),
    (manifest("{}"), "spec.cidr: must be a CIDR such as 10.0.0.0/24"),
    (
        manifest("{cidr: 10.0.0.1/24}"),
        "spec.cidr: must be a CIDR such as 10.0.0.0/24: 10.0.0.1/24 h",
    ),
    (manifest("{}", kind="Reservation"), "spec.cidrs[0]: must be a CIDR"),
    (manifest("{cidrs: [web]}", kind="Reservation"), "spec.cidrs[0]: must be a CIDR"),
    (
        manifest("{cidrs: [10.0.0.1], expireTime: tomorrow}", kind="Reservation"),
        "spec.expireTime: must be a time such as 2026-12-24T18:00:00Z, not 'tomorrow'",
    ),
    (
        manifest("{cidrs: [10.0.0.1], expireTime: 2026-12-24}", kind="Reservation"),
        "spec.expireTime: must be a time",
    ),
    (
        manifest("{cidrs: [10.0.0.1], expireTime: 2026-12-24T18:00:00}", kind="Reservation"),
        "spec.expireTime: must be a time",
    ),
    (
        manifest("{cidrs: [10.0.0.1], expireTime: {seconds: 5}}", kind="Reservation"),
        "spec.expireTime: must be a time such as 2026-12-24T18:00:00Z, not a mapping",
    ),
    (manifest("{state: DRAINING}"), "spec.state: is not a field of Pool"),
    (
        manifest("{configuration: {strictAffinity: 1}}", kind="Vrf"),
        "spec.configuration.strictAffinity: must be true or false",
    ),
    # the whole
    (f"{manifest()}---\n{manifest()}", f"pool/web stands already in {HERE}"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_a_wrong_manifest_is_refused(offline: program.Moorctl, text: str, said: str) -> None:
    ended = offline("apply", "-f", "-", stdin=text)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_all_problems_are_named_with_file_document_and_path(
    offline: program.Moorctl, tmp_path: pathlib.Path
) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yml"
    first.write_text(f"{manifest()}---\n{manifest('{cdir: x, disabled: 1}', name='db')}")
    second.write_text(manifest(kind="Pol"))
    ended = offline("apply", "-f", str(tmp_path))
    assert ended.err.splitlines()[0] == (
        "moorctl: 3 problems in the manifests; nothing was changed"
    )
    assert [line.split(": ")[:2] for line in ended.err.splitlines()[1:]] == [
        [f"  {first}, document 2 (line 6)", "spec.cdir"],
        [f"  {first}, document 2 (line 6)", "spec.disabled"],
        [f"  {second}, document 1 (line 1)", "kind"],
    ]


def test_problems_are_violations_of_the_error_document(offline: program.Moorctl) -> None:
    ended = offline("apply", "-o", "json", "-f", "-", stdin=manifest(name="Web"))
    error = ended.error()
    assert (ended.code, error["code"], error["reason"]) == (2, "INVALID_ARGUMENT", "INVALID_INPUT")
    assert error["violations"] == [
        {
            "field": f"{HERE}: metadata.name",
            "description": (
                'must be lower-case letters, digits, "-" and "."; quote what looks like a number'
            ),
        }
    ]


@pytest.mark.parametrize("command", ["apply", "diff", "delete"])
def test_every_command_that_takes_manifests_checks_them(
    offline: program.Moorctl, command: str
) -> None:
    assert offline(command, "-f", "-", stdin=manifest(name="Web")).code == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.yaml", "No such file or directory"),
        ("latin.yaml", "is not text in UTF-8"),
        ("empty", "there is no document in"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    offline: program.Moorctl, tmp_path: pathlib.Path, name: str, said: str
) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"caf\xe9: 1")
    (tmp_path / "empty").mkdir()
    ended = offline("apply", "-f", str(tmp_path / name))
    assert (ended.code, ended.out) == (2, "")
    assert str(tmp_path / name) in ended.err
    assert said in ended.err


@pytest.mark.parametrize(
    "spelling", ["MANUAL", "manual", "Manual", "ASSIGNMENT_MODE_MANUAL", "assignment_mode_manual"]
)
def test_an_enumeration_value_may_be_short_and_in_any_case(spelling: str) -> None:
    place = specs.Place(where="test")
    pool = resources_pb2.Pool()
    assert specs.fill(pool, {"cidr": "10.0.0.0/24", "assignmentMode": spelling}, place)
    assert pool.assignment_mode == resources_pb2.ASSIGNMENT_MODE_MANUAL
    assert place.problems == []


def test_a_field_without_a_value_is_absent() -> None:
    pool = resources_pb2.Pool()
    assert specs.fill(pool, {"cidr": "10.0.0.0/24", "gateway": None}, specs.Place(where="test"))
    assert pool == resources_pb2.Pool(cidr="10.0.0.0/24")


def test_a_manifest_can_say_all_of_a_pool_and_is_read_back_as_it_was(
    tmp_path: pathlib.Path,
) -> None:
    pool = resources_pb2.Pool(
        name="vrfs/blue/pools/web",
        cidr="10.0.0.0/24",
        block_size=28,
        node_selector='zone == "east"',
        namespace_selector="has(team)",
        allowed_uses=[resources_pb2.USE_WORKLOAD, resources_pb2.USE_LOAD_BALANCER],
        assignment_mode=resources_pb2.ASSIGNMENT_MODE_MANUAL,
        disabled=True,
        block_affinity=resources_pb2.BLOCK_AFFINITY_NONE,
        priority=-5,
        result_form=resources_pb2.RESULT_FORM_POOL,
        gateway="10.0.0.1",
        routes=[resources_pb2.Route(destination="0.0.0.0/0", gateway="10.0.0.1")],
        dns=resources_pb2.Dns(nameservers=["10.0.0.2"], searches=["shop.example"]),
        excluded_ranges=["10.0.0.3", "10.0.0.8-10.0.0.12"],
        exclude_network_addresses=True,
        cooldown_seconds=30,
        cooldown_policy=resources_pb2.COOLDOWN_POLICY_YIELD,
        allowed_namespaces=["shop", "1"],
        fixed_addresses=resources_pb2.FIXED_ADDRESSES_NONE,
        labels={"tier": "front", "version": "1.10"},
    )
    unset = {field.name for field in pool.DESCRIPTOR.fields} - {
        f.name for f, _ in pool.ListFields()
    }
    assert unset == {"uid", "etag", "create_time", "update_time", "state"}
    path = tmp_path / "pool.yaml"
    path.write_text(repr(manifests.write(pool)))
    (read,) = inputs.read([str(path)], "default")
    assert read.resource == pool


@pytest.mark.parametrize("kind", kinds.WRITABLE)
def test_all_but_a_spec_is_known_to_every_kind(kind: kinds.Kind) -> None:
    own = {field.json_name for field in kinds.blank(kind).DESCRIPTOR.fields}
    assert (
        own - specs.NOT_IN_SPEC
        == {
            kinds.Kind.VRF: {
                "description",
                "configuration",
                "fixedAddressGrants",
                "strictNamespaces",
                "quotas",
            },
            kinds.Kind.NODE: set(),
            kinds.Kind.POOL: own - specs.NOT_IN_SPEC,
            kinds.Kind.RESERVATION: {"cidrs", "description", "expireTime", "ownerKey"},
        }[kind]
    )
