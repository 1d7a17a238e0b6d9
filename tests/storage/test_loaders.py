"""What the driver reads, beside what its own loaders make of it."""

import psycopg
import pytest

from harness import postgres
from moorage_server.storage import loaders

VALUES = {
    "an IPv4 address": "inet '10.0.0.255'",
    "the first one": "inet '0.0.0.0'",
    "an IPv6 address": "inet 'fd00::1:0:0:f'",
    "the last one": "inet 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'",
    "an IPv4-mapped one": "inet '::ffff:10.0.0.1'",
    "an IPv4 block": "cidr '10.0.0.64/26'",
    "a block of one address": "cidr '10.0.0.1/32'",
    "an IPv6 block": "cidr 'fd00::/122'",
    "everything": "cidr '::/0'",
    "labels": """jsonb '{"a": "b", "\\u00e9": "\\"\\\\\\u20ac"}'""",
    "no labels": "jsonb '{}'",
    "what is cooling": "jsonb '[[1, 2, \"c\"], []]'",
    "nothing": "NULL::inet",
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_the_values_are_those_of_the_driver(database: postgres.Database, value: str) -> None:
    url = database.service_url.replace("+psycopg", "")
    with psycopg.connect(url) as own, psycopg.connect(url) as other:
        loaders.register(own)
        (ours,), (its,) = (
            each.execute(f"SELECT {value}").fetchone() or () for each in (own, other)
        )
    assert (ours, type(ours)) == (its, type(its))
