"""What a shell is told while somebody types."""

import pytest

from ctl import program
from harness import serving


def completed(moorctl: program.Moorctl, *words: str) -> list[str]:
    """What is suggested for the last of these words."""
    asked = {
        "_MOORCTL_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["moorctl", *words]),
        "COMP_CWORD": str(len(words)),
    }
    told = program.Moorctl(variables={**moorctl.variables, **asked}, installed=True)()
    assert (told.code, told.err) == (0, "")
    return [line.partition(",")[2] for line in told.out.splitlines() if line]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_given_what_it_reads(offline: program.Moorctl, shell: str) -> None:
    script = offline.must("completion", shell)
    assert f"_MOORCTL_COMPLETE={shell}_complete" in script


def test_commands_and_options_are_suggested_without_a_server(offline: program.Moorctl) -> None:
    assert completed(offline, "dr") == ["drain"]
    assert completed(offline, "quarantine", "") == ["lift", "show"]
    assert "--show-origin" in completed(offline, "config", "view", "--")


def test_names_are_the_server_s_own(moorctl: program.Moorctl, server: serving.Serving) -> None:
    for name, cidr in (("web", "10.0.0.0/24"), ("web-2", "10.0.1.0/24"), ("db", "10.0.2.0/24")):
        about = f"metadata: {{name: {name}}}, spec: {{cidr: {cidr}}}"
        manifest = f"{{apiVersion: moorage.dev/v1, kind: Pool, {about}}}"
        moorctl.must("apply", "-f", "-", stdin=manifest)
    assert completed(moorctl, "get", "pool", "w") == ["web", "web-2"]
    assert completed(moorctl, "delete", "pools", "web", "") == ["db", "web", "web-2"]
    assert completed(moorctl, "drain", "d") == ["db"]
    elsewhere = program.Moorctl(variables={"MOORAGE_SERVER": "127.0.0.1:1"})
    assert completed(elsewhere, "--server", server.target, "get", "pool", "d") == ["db"]


def test_where_nobody_answers_nothing_is_suggested(offline: program.Moorctl) -> None:
    assert completed(offline, "get", "pool", "") == []
    assert completed(offline, "get", "allocations", "") == []
