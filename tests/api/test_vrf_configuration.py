"""VrfService: how blocks of a VRF are dealt out."""

import pytest

import moorage
from harness import calls, serving
from moorage.v1 import resources_pb2

Vrf = resources_pb2.Vrf
Configuration = resources_pb2.VrfConfiguration
VERSION = "SELECT catalog_version FROM vrfs WHERE name = 'blue'"
DEFAULT = Configuration(auto_allocate_blocks=True, history_retention_days=400)
STRICT = Configuration(
    strict_affinity=True,
    auto_allocate_blocks=False,
    max_blocks_per_node=1_000_000,
    cooldown_seconds=1200,
    history_retention_days=0,
)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (None, DEFAULT),
        (Configuration(), DEFAULT),
        (Configuration(auto_allocate_blocks=True), DEFAULT),
        (
            Configuration(cooldown_seconds=5),
            Configuration(
                auto_allocate_blocks=True, cooldown_seconds=5, history_retention_days=400
            ),
        ),
        (STRICT, STRICT),
    ],
)
def test_a_configuration_is_returned_filled_in(
    client: moorage.Client, given: Configuration | None, stored: Configuration
) -> None:
    made = client.create_vrf("blue", Vrf(configuration=given))
    assert made.HasField("configuration")
    assert made.configuration == stored
    assert client.get_vrf("blue") == made
    assert [each for each in client.vrfs() if each.name == "vrfs/blue"] == [made]


def test_the_default_vrf_has_the_default_configuration(client: moorage.Client) -> None:
    assert client.get_vrf("default").configuration == DEFAULT


@pytest.mark.parametrize(
    ("paths", "given", "stored"),
    [
        (["configuration"], None, DEFAULT),
        ([], None, DEFAULT),
        (["description"], Configuration(cooldown_seconds=9), STRICT),
        (
            ["configuration.cooldown_seconds"],
            Configuration(cooldown_seconds=9, max_blocks_per_node=3),
            Configuration(
                strict_affinity=True,
                auto_allocate_blocks=False,
                max_blocks_per_node=1_000_000,
                cooldown_seconds=9,
                history_retention_days=0,
            ),
        ),
        (
            ["configuration.auto_allocate_blocks", "configuration.max_blocks_per_node"],
            None,
            Configuration(
                strict_affinity=True,
                auto_allocate_blocks=True,
                cooldown_seconds=1200,
                history_retention_days=0,
            ),
        ),
    ],
)
def test_an_update_changes_what_its_mask_names(
    client: moorage.Client,
    paths: list[str],
    given: Configuration | None,
    stored: Configuration,
) -> None:
    made = client.create_vrf("blue", Vrf(configuration=STRICT))
    after = client.update_vrf(Vrf(name=made.name, configuration=given), update_mask=paths)
    assert after.configuration == stored
    assert client.get_vrf("blue") == after


def test_every_server_hears_of_a_change_and_of_nothing_else(
    client: moorage.Client, server: serving.Serving
) -> None:
    made = client.create_vrf("blue", Vrf(configuration=STRICT))
    before = server.database.scalar(VERSION)
    assert client.update_vrf(made) == made
    client.update_vrf(Vrf(name=made.name, description="Navy"), update_mask=["description"])
    assert server.database.scalar(VERSION) == before
    after = client.update_vrf(Vrf(name=made.name), update_mask=["configuration"])
    assert after.etag != made.etag
    assert server.database.scalar(VERSION) != before


def test_strict_affinity_is_obeyed_by_the_next_request(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/30", block_affinity=resources_pb2.BLOCK_AFFINITY_NODE)
    calls.assign(client, "c1", node="n1")
    assert len(calls.assign(client, "c2", node="n2")) == 1
    strict = Vrf(name="vrfs/default", configuration=Configuration(strict_affinity=True))
    client.update_vrf(strict, update_mask=["configuration.strict_affinity"])
    with pytest.raises(moorage.MoorageError):
        calls.assign(client, "c3", node="n2")
    assert len(calls.assign(client, "c4", node="n1")) == 1


AUTO, BLOCKS, COOLDOWN = "auto_allocate_blocks", "max_blocks_per_node", "cooldown_seconds"
REFUSED = [
    (Configuration(cooldown_seconds=-1), [COOLDOWN], "give 0 to 1200"),
    (Configuration(cooldown_seconds=1201), [COOLDOWN], "give 0 to 1200"),
    (
        Configuration(strict_affinity=True, max_blocks_per_node=-1),
        [BLOCKS],
        "is -1; give 0 to 1000000",
    ),
    (
        Configuration(strict_affinity=True, max_blocks_per_node=1_000_001),
        [BLOCKS],
        "give 0 to 1000000",
    ),
    (
        Configuration(max_blocks_per_node=1),
        [BLOCKS],
        "requires strict_affinity to be enabled",
    ),
    (
        Configuration(auto_allocate_blocks=False),
        [AUTO],
        "cannot be disabled at the same time as strict_affinity",
    ),
    (
        Configuration(
            auto_allocate_blocks=False, max_blocks_per_node=2_000_000, cooldown_seconds=-5
        ),
        [BLOCKS, COOLDOWN, BLOCKS, AUTO],
        "give 0 to 1000000",
    ),
]


@pytest.mark.parametrize(("configuration", "fields", "words"), REFUSED)
def test_a_configuration_that_contradicts_itself_is_refused(
    client: moorage.Client, configuration: Configuration, fields: list[str], words: str
) -> None:
    vrf = Vrf(name="vrfs/default", configuration=configuration)
    with pytest.raises(moorage.InvalidRequest) as created:
        client.create_vrf("blue", vrf)
    violations = created.value.violations
    assert [each.field for each in violations] == [f"vrf.configuration.{each}" for each in fields]
    assert words in violations[0].description
    with pytest.raises(moorage.InvalidRequest) as updated:
        client.update_vrf(vrf)
    assert updated.value.violations == violations


def test_an_update_is_checked_together_with_what_stays(client: moorage.Client) -> None:
    client.create_vrf("blue", Vrf(configuration=STRICT))
    given = Vrf(name="vrfs/blue", configuration=Configuration())
    with pytest.raises(moorage.InvalidRequest) as caught:
        client.update_vrf(given, update_mask=["configuration.strict_affinity"])
    assert [each.field.rpartition(".")[2] for each in caught.value.violations] == [BLOCKS, AUTO]
