"""moorctl drain and activate: a pool goes out of service and comes back."""

import pytest

import moorage
from ctl import program
from harness.calls import assign, create_pool, release
from moorage.v1 import resources_pb2


def test_a_pool_is_drained_and_activated(moorctl: program.Moorctl, client: moorage.Client) -> None:
    create_pool(client, "old", "10.0.0.0/24")
    assign(client, "held")
    assert moorctl("drain", "old").out == "pool/old draining\n"
    assert client.get_pool("old").state == resources_pb2.POOL_STATE_DRAINING
    with pytest.raises(moorage.MoorageError, match="draining"):
        assign(client, "late")
    assert release(client, "held") == ["10.0.0.0"]
    assert moorctl("drain", "old", "old").out == "pool/old draining\n" * 2
    assert moorctl("activate", "old").out == "pool/old active\n"
    assert assign(client, "late")


@pytest.mark.parametrize("command", ["drain", "activate"])
def test_a_pool_that_is_not_there_is_named(moorctl: program.Moorctl, command: str) -> None:
    ended = moorctl(command, "nowhere")
    assert ended.code == 3
    assert 'no pool "nowhere"' in ended.err
