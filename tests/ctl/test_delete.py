"""moorctl delete -f: what a manifest has to say, and how to go on after a failure."""

import pytest

import moorage
from ctl import program
from moorage.v1 import resources_pb2

EVERYTHING = """
apiVersion: moorage.dev/v1
kind: Pool
metadata: {name: web}
spec: {cidr: 10.0.0.0/24}
---
apiVersion: projectcalico.org/v3
kind: IPAMConfiguration
metadata: {name: default}
spec: {strictAffinity: true}
"""
NAMED = """
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: web}}
---
{apiVersion: crd.projectcalico.org/v1, kind: IPAMConfig, metadata: {name: default}}
"""


def test_delete_wants_no_more_of_a_manifest_than_what_it_names(moorctl: program.Moorctl) -> None:
    moorctl("apply", "-f", "-", stdin=EVERYTHING)
    out = moorctl.must("delete", "-f", "-", stdin=NAMED)
    assert out == "pool/web deleted\nvrf/default configured\n"


NAMELESS = [
    ("{kind: IPPool, metadata: {name: web}}", "apiVersion: must be moorage.dev/v1 or "),
    ("{apiVersion: projectcalico.org/v3, kind: IPPool}", "metadata.name: must be lower-case"),
    ("{apiVersion: projectcalico.org/v3, kind: Pool, metadata: {name: web}}", "kind: must be"),
    (
        "{apiVersion: projectcalico.org/v3, kind: IPAMConfiguration, metadata: {name: blue}}",
        "metadata.name: must be default",
    ),
    ("[]", "must be a mapping"),
    ("{apiVersion: moorage.dev/v1, kind: Pool, metadata: 7}", "metadata: must be a mapping"),
]


@pytest.mark.parametrize(("manifest", "said"), NAMELESS)
def test_delete_says_what_a_manifest_does_not_name(
    offline: program.Moorctl, manifest: str, said: str
) -> None:
    ended = offline("delete", "-f", "-", stdin=manifest)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_a_deletion_that_stopped_goes_on_where_it_says(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    client.create_pool("web", resources_pb2.Pool(cidr="10.0.0.0/24"))
    text = "".join(
        f"---\napiVersion: moorage.dev/v1\nkind: Pool\nmetadata: {{name: {name}}}\n"
        for name in ("web", "gone", "web")
    )
    ended = moorctl("delete", "-f", "-", stdin=text)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.splitlines()[-1] == (
        "  next: to pass over what is not there, add --ignore-not-found"
    )
    assert moorctl.must("delete", "-f", "-", "--ignore-not-found", stdin=text).splitlines() == [
        "pool/gone not found",
        "pool/web deleted",
    ]
