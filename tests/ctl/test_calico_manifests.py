"""What manifests of Calico mean, and what is refused in them before the server is asked."""

import pytest
import yaml

from moorage.ctl import calico, calico_writing, kinds, manifests, specs
from moorage.v1 import resources_pb2

V3, CRD = "projectcalico.org/v3", "crd.projectcalico.org/v1"
AUTOMATIC = resources_pb2.ASSIGNMENT_MODE_AUTOMATIC
MANUAL = resources_pb2.ASSIGNMENT_MODE_MANUAL
WORKLOAD = resources_pb2.USE_WORKLOAD
TUNNEL = resources_pb2.USE_TUNNEL
LOAD_BALANCER = resources_pb2.USE_LOAD_BALANCER


def text_of(
    spec: str, *, kind: str = "IPPool", metadata: str = "name: web", version: str = V3
) -> str:
    """A manifest with one thing that matters to the test."""
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{{metadata}}}\nspec: {{{spec}}}\n"


def pool(spec: str = "", **other: str) -> str:
    """An IPPool that says more than its range."""
    return text_of(f"cidr: 10.0.0.0/24{', ' if spec else ''}{spec}", **other)


def configuration(spec: str, name: str = "default", kind: str = "IPAMConfiguration") -> str:
    """An IPAMConfiguration, or one as the custom resource is called."""
    version = CRD if kind == "IPAMConfig" else V3
    return text_of(spec, kind=kind, metadata=f"name: {name}", version=version)


def read(text: str) -> tuple[manifests.Manifest | None, list[str]]:
    """Return what a manifest asks for, and what is wrong with it."""
    place = specs.Place(where="test")
    manifest = calico.read(yaml.safe_load(text), "blue", place)
    return manifest, [f"{problem.field}: {problem.description}" for problem in place.problems]


def good(text: str) -> manifests.Manifest:
    """Return what a manifest asks for, once nothing is wrong with it."""
    manifest, problems = read(text)
    assert problems == []
    assert manifest is not None
    return manifest


POOLS = [
    ("", {}),
    ("blockSize: 28", {"block_size": 28}),
    ("blockSize: 0", {}),
    ("blockSize: null", {}),
    ("nodeSelector: zone == 'east'", {"node_selector": "zone == 'east'"}),
    ("nodeSelector: all()", {"node_selector": "all()"}),
    ('nodeSelector: ""', {}),
    ("namespaceSelector: has(team)", {"namespace_selector": "has(team)"}),
    ('namespaceSelector: ""', {}),
    ("allowedUses: [Workload]", {"allowed_uses": [WORKLOAD]}),
    ("allowedUses: [Tunnel]", {"allowed_uses": [TUNNEL]}),
    ("allowedUses: [Workload, Tunnel]", {"allowed_uses": [WORKLOAD, TUNNEL]}),
    ("allowedUses: [LoadBalancer]", {"allowed_uses": [LOAD_BALANCER]}),
    (
        "allowedUses: [LoadBalancer], nodeSelector: all()",
        {"allowed_uses": [LOAD_BALANCER], "node_selector": "all()"},
    ),
    ("allowedUses: []", {}),
    ("assignmentMode: Automatic", {"assignment_mode": AUTOMATIC}),
    ("assignmentMode: Manual", {"assignment_mode": MANUAL}),
    ("assignmentMode: null", {}),
    ("disabled: true", {"disabled": True}),
    ("disabled: false", {}),
]


@pytest.mark.parametrize(("spec", "fields"), POOLS)
@pytest.mark.parametrize("version", [V3, CRD])
def test_an_ippool_is_a_pool(spec: str, fields: dict[str, object], version: str) -> None:
    manifest = good(pool(spec, version=version))
    expected = resources_pb2.Pool(name="vrfs/blue/pools/web", cidr="10.0.0.0/24")
    for name, value in fields.items():
        if isinstance(value, list):
            getattr(expected, name).extend(value)
        else:
            setattr(expected, name, value)
    assert (manifest.kind, manifest.resource, manifest.notes) == (kinds.Kind.POOL, expected, ())


ROUTING = [
    ("ipipMode: Never, vxlanMode: Never, natOutgoing: false, disableBGPExport: false", ""),
    ('ipipMode: "", vxlanMode: ""', ""),
    ("ipipMode: Always", "ipipMode"),
    ("ipipMode: CrossSubnet", "ipipMode"),
    ("vxlanMode: Always, ipipMode: Never", "vxlanMode"),
    ("vxlanMode: CrossSubnet, natOutgoing: true", "vxlanMode, natOutgoing"),
    ("natOutgoing: true", "natOutgoing"),
    ("disableBGPExport: true", "disableBGPExport"),
    ("ipip: {enabled: true, mode: cross-subnet}, nat-outgoing: true", "ipip, nat-outgoing"),
    ("ipip: {enabled: false}, vxlanMode: Always", "vxlanMode, ipip"),
    ("allowedUses: [LoadBalancer], natOutgoing: true", "natOutgoing"),
]


@pytest.mark.parametrize(("spec", "fields"), ROUTING)
def test_what_concerns_routing_is_noted_and_changes_nothing(spec: str, fields: str) -> None:
    manifest = good(pool(spec))
    noted = (f"routing is left to the network plugin: {fields}",) if fields else ()
    assert manifest.notes == noted
    assert isinstance(manifest.resource, resources_pb2.Pool)
    manifest.resource.ClearField("allowed_uses")
    assert manifest.resource == resources_pb2.Pool(name="vrfs/blue/pools/web", cidr="10.0.0.0/24")


@pytest.mark.parametrize(
    ("spelled", "cidr"),
    [
        ("2001:cafe:42::00/56", "2001:cafe:42::/56"),
        ("2001:CAFE:42:0:0:0:0:0/56", "2001:cafe:42::/56"),
        ("10.0.0.0/24", "10.0.0.0/24"),
        ("10.0.0.1/32", "10.0.0.1/32"),
    ],
)
def test_the_range_of_a_pool_has_one_spelling(spelled: str, cidr: str) -> None:
    resource = good(text_of(f'cidr: "{spelled}"')).resource
    assert isinstance(resource, resources_pb2.Pool)
    assert resource.cidr == cidr


@pytest.mark.parametrize(
    ("spelled", "cidrs"),
    [
        ("10.0.0.0/28", ["10.0.0.0/28"]),
        ("10.0.0.9", ["10.0.0.9/32"]),
        ('"fd00::00:7"', ["fd00::7/128"]),
        ('"::ffff:10.0.0.1"', ["10.0.0.1/32"]),
        ('"::ffff:a00:1", 10.0.0.1', ["10.0.0.1/32", "10.0.0.1/32"]),
        ('10.0.0.9/28, "fd00::/64"', ["10.0.0.0/28", "fd00::/64"]),
    ],
)
def test_an_ipreservation_is_a_reservation(spelled: str, cidrs: list[str]) -> None:
    manifest = good(text_of(f"reservedCIDRs: [{spelled}]", kind="IPReservation"))
    assert manifest.resource == resources_pb2.Reservation(
        name="vrfs/blue/reservations/web", cidrs=cidrs
    )


CONFIGURATIONS = [
    ("", (False, True, 0, 0)),
    ("strictAffinity: true", (True, True, 0, 0)),
    ("strictAffinity: false, autoAllocateBlocks: true", (False, True, 0, 0)),
    ("strictAffinity: true, autoAllocateBlocks: false", (True, False, 0, 0)),
    ("strictAffinity: true, maxBlocksPerHost: 4", (True, True, 4, 0)),
    ("maxBlocksPerHost: 0", (False, True, 0, 0)),
    ("ipCooldownSeconds: 60", (False, True, 0, 60)),
    ("IPCooldownSeconds: 60", (False, True, 0, 60)),
]


@pytest.mark.parametrize(("spec", "expected"), CONFIGURATIONS)
@pytest.mark.parametrize("kind", ["IPAMConfiguration", "IPAMConfig"])
def test_an_ipamconfiguration_is_that_of_the_vrf(
    spec: str, expected: tuple[bool, bool, int, int], kind: str
) -> None:
    manifest = good(configuration(spec, kind=kind))
    assert (manifest.fields, manifest.makes) == (frozenset({"configuration"}), False)
    strict, automatic, blocks, seconds = expected
    assert manifest.resource == resources_pb2.Vrf(
        name="vrfs/blue",
        configuration=resources_pb2.VrfConfiguration(
            strict_affinity=strict,
            auto_allocate_blocks=automatic,
            max_blocks_per_node=blocks,
            cooldown_seconds=seconds,
        ),
    )


@pytest.mark.parametrize("word", ["Enabled", "Disabled"])
def test_what_is_not_used_is_noted(word: str) -> None:
    manifest = good(configuration(f"kubeVirtVMAddressPersistence: {word}"))
    assert manifest.notes == ("kubeVirtVMAddressPersistence is not used",)


WRITTEN_BY_A_SERVER = """
  name: web
  uid: 0f3f7b8e-0000-4000-8000-000000000001
  resourceVersion: "1234"
  generation: 3
  creationTimestamp: null
  selfLink: /apis/web
  namespace: ""
  labels: {tier: front}
  annotations:
    projectcalico.org/metadata: '{"creationTimestamp":null}'
    kubectl.kubernetes.io/last-applied-configuration: '{}'
  finalizers: [projectcalico.org/ippool-finalizer]
  ownerReferences: [{kind: Installation}]
  managedFields: [{manager: kubectl}]
"""


@pytest.mark.parametrize(
    ("kind", "spec"),
    [("IPPool", "cidr: 10.0.0.0/24"), ("IPReservation", "reservedCIDRs: [10.0.0.0/24]")],
)
def test_what_a_server_has_written_is_passed_over(kind: str, spec: str) -> None:
    text = (
        f"apiVersion: {V3}\nkind: {kind}\nmetadata:{WRITTEN_BY_A_SERVER}spec: {{{spec}}}\n"
        "status: {conditions: [{type: Allocatable}]}\n"
    )
    assert dict(good(text).resource.labels) == {"tier": "front"}


def test_labels_in_calicos_annotation_are_labels() -> None:
    kept = """projectcalico.org/metadata: '{"labels": {"tier": "front"}}'"""
    text = pool(metadata=f"name: web, labels: {{zone: east}}, annotations: {{{kept}}}", version=CRD)
    assert dict(good(text).resource.labels) == {"tier": "front", "zone": "east"}


@pytest.mark.parametrize(
    ("spec", "size", "noted"),
    [
        ("blockSize: 26, disabled: true", 28, 1),
        ("disabled: true", 0, 0),
        ("blockSize: 28, disabled: true", 28, 0),
        ("blockSize: 30, disabled: true", 30, 0),
        ("blockSize: 5, disabled: true", 5, 0),
        ("blockSize: 26", 26, 0),
    ],
)
def test_a_disabled_pool_that_is_smaller_than_its_block_is_one_block(
    spec: str, size: int, noted: int
) -> None:
    manifest = good(text_of(f"cidr: 10.0.0.0/28, {spec}"))
    assert isinstance(manifest.resource, resources_pb2.Pool)
    assert (manifest.resource.block_size, len(manifest.notes)) == (size, noted)


def test_an_ipamconfiguration_says_nothing_of_the_labels_of_the_vrf() -> None:
    text = text_of("", kind="IPAMConfiguration", metadata="name: default, labels: {a: b}")
    assert not good(text).resource.labels


REFUSED = [
    # the document
    ("- 1", "test: must be a mapping of the fields of a manifest"),
    (pool(version="projectcalico.org/v1"), "apiVersion: must be projectcalico.org/v3 or crd."),
    (pool(kind="BGPPeer"), "kind: must be one of IPPool, IPReservation, IPAMConfiguration"),
    (pool(kind="IPPol"), 'did you mean "IPPool"?'),
    (pool(kind="ippool"), "kind: must be one of IPPool"),
    (pool(kind="IPAMConfig"), "kind: must be one of IPPool"),
    (pool(kind="[IPPool]"), "kind: must be one of IPPool"),
    (pool() + "spek: {}", 'spek: is not a field of a manifest; did you mean "spec"?'),
    # the metadata
    (pool(metadata=""), "metadata.name: must be lower-case letters"),
    (pool(metadata="name: Web"), "metadata.name: must be lower-case letters"),
    (pool(metadata="name: 12"), "metadata.name: must be lower-case letters"),
    (pool(metadata="name: web, label: {}"), "metadata.label: is not a field of the metadata; did"),
    (pool(metadata="name: web, vrf: blue"), "metadata.vrf: is not a field of the metadata"),
    (pool(metadata="name: web, labels: [a]"), "metadata.labels: must be a mapping of text to text"),
    (pool(metadata="name: web, labels: {a: 1}"), "metadata.labels.a: must be text on both sides"),
    (
        pool(metadata="name: web, annotations: {projectcalico.org/metadata: x}"),
        "metadata.annotations.projectcalico.org/metadata: must be JSON, as Calico writes it",
    ),
    # the range of a pool
    (text_of(""), "spec.cidr: IPPool CIDR must be specified"),
    (text_of('cidr: ""'), "spec.cidr: IPPool CIDR must be specified"),
    (text_of("cidr: garbage"), "spec.cidr: IPPool CIDR must be a valid subnet"),
    (text_of("cidr: 10.0.0.0/33"), "spec.cidr: IPPool CIDR must be a valid subnet"),
    (text_of("cidr: 10.0.0.0"), "spec.cidr: IPPool CIDR must be a valid subnet"),
    (text_of("cidr: 10.0.0.0/255.255.255.0"), "spec.cidr: IPPool CIDR must be a valid subnet"),
    (text_of("cidr: 010.0.0.0/24"), "spec.cidr: IPPool CIDR must be a valid subnet"),
    (text_of('cidr: "fe80::%eth0/64"'), "spec.cidr: IPPool CIDR must be a valid subnet"),
    (
        text_of("cidr: 10.0.0.5/24"),
        "spec.cidr: IPPool CIDR is not strictly masked: 10.0.0.5/24 lies in 10.0.0.0/24",
    ),
    (text_of('cidr: "fd00::1/64"'), "spec.cidr: IPPool CIDR is not strictly masked"),
    (text_of("cidr: 10"), "spec.cidr: must be text in quotes, not 10"),
    # the other fields of a pool
    (pool("cdir: 1"), 'spec.cdir: is not a field of an IPPool; did you mean "cidr"?'),
    (pool("nodeselector: a"), 'spec.nodeselector: is not a field of an IPPool; did you mean "no'),
    (pool("priority: 1"), "spec.priority: is not a field of an IPPool; its fields are cidr, "),
    (pool('blockSize: "26"'), "spec.blockSize: must be a whole number from 0 to 2147483647, not"),
    (pool("blockSize: true"), "spec.blockSize: must be a whole number"),
    (pool("blockSize: -1"), "spec.blockSize: must be a whole number"),
    (pool("blockSize: 2147483648"), "spec.blockSize: must be a whole number"),
    (pool("nodeSelector: true"), "spec.nodeSelector: must be text in quotes, not True"),
    (pool("namespaceSelector: 1"), "spec.namespaceSelector: must be text in quotes, not 1"),
    (pool("allowedUses: Workload"), "spec.allowedUses: must be a list, not 'Workload'"),
    (
        pool("allowedUses: [Tunnel, workload]"),
        "spec.allowedUses[1]: must be one of Workload, Tunnel, LoadBalancer, not 'workload'; did",
    ),
    (pool("allowedUses: [WORKLOAD]"), 'did you mean "Workload"?'),
    (pool("allowedUses: [1]"), "spec.allowedUses[0]: must be one of Workload"),
    (pool('assignmentMode: ""'), "spec.assignmentMode: must be one of Automatic, Manual, not ''"),
    (pool("assignmentMode: manual"), 'did you mean "Manual"?'),
    (pool("assignmentMode: MANUAL"), "spec.assignmentMode: must be one of Automatic, Manual"),
    (pool('disabled: "yes"'), "spec.disabled: must be true or false, not 'yes'"),
    (pool("disabled: 1"), "spec.disabled: must be true or false, not 1"),
    # what concerns routing
    (pool("ipipMode: always"), "spec.ipipMode: must be one of Never, Always, CrossSubnet, not 'al"),
    (pool("ipipMode: cross-subnet"), "spec.ipipMode: must be one of Never"),
    (pool("vxlanMode: NEVER"), "spec.vxlanMode: must be one of Never"),
    (pool("vxlanMode: true"), "spec.vxlanMode: must be text in quotes"),
    (pool('natOutgoing: "true"'), "spec.natOutgoing: must be true or false"),
    (pool("disableBGPExport: 1"), "spec.disableBGPExport: must be true or false"),
    (pool("ipip: true"), "spec.ipip: must be a mapping, not True"),
    (pool("ipip: {mode: Always}"), "spec.ipip.mode: must be one of always, cross-subnet"),
    (pool("ipip: {enable: true}"), 'spec.ipip.enable: is not a field of ipip; did you mean "ena'),
    (pool("nat-outgoing: 1"), "spec.nat-outgoing: must be true or false"),
    (
        pool("ipipMode: Always, vxlanMode: CrossSubnet"),
        "spec.vxlanMode: cannot enable both VXLAN and IPIP on the same IPPool",
    ),
    (pool("ipip: {enabled: true}, vxlanMode: Always"), "cannot enable both VXLAN and IPIP"),
    (
        text_of('cidr: "fd00::/64", ipipMode: Always'),
        "spec.ipipMode: IPIP is not supported on an IPv6 IP pool",
    ),
    # load balancers
    (
        pool("allowedUses: [LoadBalancer, Workload]"),
        "spec.allowedUses: LoadBalancer goes with no other use",
    ),
    (
        pool("allowedUses: [Tunnel, LoadBalancer]"),
        "spec.allowedUses: LoadBalancer goes with no other use",
    ),
    (
        pool("allowedUses: [LoadBalancer], nodeSelector: zone == 'east'"),
        "spec.nodeSelector: must be all() for a pool for LoadBalancer",
    ),
    (
        pool("allowedUses: [LoadBalancer], ipipMode: Always"),
        "spec: a pool for LoadBalancer has neither IPIP nor VXLAN",
    ),
    (
        pool("allowedUses: [LoadBalancer], vxlanMode: CrossSubnet"),
        "spec: a pool for LoadBalancer has neither IPIP nor VXLAN",
    ),
    (
        pool("allowedUses: [LoadBalancer], disableBGPExport: true"),
        "spec.disableBGPExport: must be false for a pool for LoadBalancer",
    ),
    # reservations
    *(
        (text_of(spec, kind="IPReservation"), said)
        for spec, said in (
            ("", "spec.reservedCIDRs: must have a CIDR or an address"),
            ("reservedCIDRs: []", "spec.reservedCIDRs: must have a CIDR or an address"),
            ("reservedCIDRs: 10.0.0.1", "spec.reservedCIDRs: must be a list"),
            ("reservedCIDRs: [garbage]", "spec.reservedCIDRs[0]: must be a CIDR or an address"),
            ("reservedCIDRs: [10.0.0.1, 10.0.1.0/33]", "spec.reservedCIDRs[1]: must be a CIDR"),
            ("reservedCIDRs: [10]", "spec.reservedCIDRs[0]: must be a CIDR"),
            ("reservedCIDRs: [[10.0.0.1]]", "spec.reservedCIDRs[0]: must be a CIDR"),
            (
                'reservedCIDRs: ["::ffff:10.0.0.0/120"]',
                "spec.reservedCIDRs[0]: must be a CIDR or an address, such as 10.0.0.0/24: it is "
                "IPv4-mapped; write 10.0.0.0/24",
            ),
            ('reservedCIDRs: ["10.0.0.1 "]', "spec.reservedCIDRs[0]: must be a CIDR"),
            ('reservedCIDRs: ["fe80::1%eth0"]', "spec.reservedCIDRs[0]: must be a CIDR"),
            ("reservedCidrs: [10.0.0.1]", 'did you mean "reservedCIDRs"?'),
        )
    ),
    # configurations
    (
        configuration("", name="blue"),
        "metadata.name: Cannot create an IPAMConfiguration resource with a name other than "
        '"default"',
    ),
    (
        configuration("autoAllocateBlocks: false"),
        "Cannot disable 'StrictAffinity' and 'AutoAllocateBlocks' at the same time",
    ),
    (
        configuration("maxBlocksPerHost: 3"),
        "spec.maxBlocksPerHost: MaxBlocksPerHost requires StrictAffinity to be enabled",
    ),
    (configuration("strictAffinity: 1"), "spec.strictAffinity: must be true or false"),
    (configuration("autoAllocateBlocks: no thanks"), "spec.autoAllocateBlocks: must be true or"),
    (
        configuration("strictAffinity: true, maxBlocksPerHost: -1"),
        "spec.maxBlocksPerHost: must be a whole number",
    ),
    (configuration("ipCooldownSeconds: -1"), "spec.ipCooldownSeconds: must be a whole number"),
    (configuration("ipCooldownSeconds: 1.5"), "spec.ipCooldownSeconds: must be a whole number"),
    (
        configuration("ipCooldownSeconds: 1, IPCooldownSeconds: 2"),
        "spec.IPCooldownSeconds: is ipCooldownSeconds once more",
    ),
    (
        configuration("kubeVirtVMAddressPersistence: enabled"),
        "spec.kubeVirtVMAddressPersistence: must be one of Enabled, Disabled, not 'enabled'; did",
    ),
    (configuration("maxBlocksPerNode: 1"), 'did you mean "maxBlocksPerHost"?'),
]


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_a_wrong_manifest_is_refused(text: str, said: str) -> None:
    _, problems = read(text)
    assert [problem for problem in problems if said in problem], problems


FULL_POOL = resources_pb2.Pool(
    name="vrfs/blue/pools/web",
    cidr="10.0.0.0/24",
    block_size=28,
    node_selector='zone == "east"',
    namespace_selector="has(team)",
    allowed_uses=[WORKLOAD],
    assignment_mode=MANUAL,
    disabled=True,
    labels={"tier": "front"},
)


@pytest.mark.parametrize(
    "resource",
    [
        FULL_POOL,
        resources_pb2.Reservation(
            name="vrfs/blue/reservations/web", cidrs=["10.0.0.9/32"], labels={"tier": "front"}
        ),
        resources_pb2.Vrf(
            name="vrfs/blue",
            configuration=resources_pb2.VrfConfiguration(
                strict_affinity=True,
                auto_allocate_blocks=False,
                max_blocks_per_node=4,
                cooldown_seconds=60,
            ),
        ),
    ],
)
def test_what_is_written_is_read_back_as_it_was(resource: kinds.Resource) -> None:
    manifest = good(yaml.safe_dump(calico_writing.write(resource)))
    assert manifest.resource == resource
    assert calico_writing.left_out(resource) == []


def test_every_field_of_a_pool_is_written_or_named_as_left_out() -> None:
    whole = resources_pb2.Pool(
        block_affinity=resources_pb2.BLOCK_AFFINITY_NONE,
        priority=-5,
        result_form=resources_pb2.RESULT_FORM_POOL,
        gateway="10.0.0.1",
        routes=[resources_pb2.Route(destination="0.0.0.0/0")],
        dns=resources_pb2.Dns(nameservers=["10.0.0.2"]),
        excluded_ranges=["10.0.0.3"],
        exclude_network_addresses=True,
        state=resources_pb2.POOL_STATE_DRAINING,
        cooldown_seconds=30,
        cooldown_policy=resources_pb2.COOLDOWN_POLICY_YIELD,
        allowed_namespaces=["shop"],
        fixed_addresses=resources_pb2.FIXED_ADDRESSES_GRANTED,
    )
    whole.MergeFrom(FULL_POOL)
    unset = {field.name for field in whole.DESCRIPTOR.fields} - {
        field.name for field, _ in whole.ListFields()
    }
    assert unset == {"uid", "etag", "create_time", "update_time"}
    assert set(calico_writing.left_out(whole)) == {
        "blockAffinity",
        "priority",
        "resultForm",
        "gateway",
        "routes",
        "dns",
        "excludedRanges",
        "excludeNetworkAddresses",
        "state",
        "cooldownSeconds",
        "cooldownPolicy",
        "allowedNamespaces",
        "fixedAddresses",
    }
    assert calico_writing.write(whole) == calico_writing.write(FULL_POOL)


def test_there_is_no_manifest_of_calico_for_a_node() -> None:
    with pytest.raises(ValueError, match="Calico has no manifest for node/n1"):
        calico_writing.write(resources_pb2.Node(name="vrfs/blue/nodes/n1"))
