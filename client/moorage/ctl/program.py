"""The program moorctl: its commands, and how it ends.

Each command is a module of its own, loaded when it is called for, so that `moorctl --version` and
`moorctl --help` need neither protobuf nor gRPC.
"""

import itertools
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

import moorage
from moorage.ctl import exits, groups, settings

COMMANDS = {
    "activate": "Put draining pools back into service.",
    "apply": "Create or configure what manifests say.",
    "assign": "Assign addresses to an attachment.",
    "audit": "Say who changed VRFs, pools, reservations, nodes and blocks, the newest first.",
    "completion": "Print what has a shell complete commands, options and the names of resources.",
    "config": "Say which settings hold, and choose a context.",
    "delete": "Delete resources by name or by manifest.",
    "describe": "Say all that is known of one thing, and of what has to do with it.",
    "diff": "Say what apply would create or configure.",
    "drain": "Take pools out of service, to delete them later.",
    "explain": "Say what `moorctl assign` would do now, and why, without doing it.",
    "export": "Write everything of a VRF into a file: what is configured, and what is held.",
    "get": "Show resources of a kind, or one by name.",
    "history": "Say who held addresses, and when.",
    "import": "Take over the addresses of another IPAM.",
    "ipam": "Look after the addresses of a VRF as a whole.",
    "man": "Write manual pages into a directory: one for the program, and one for each command.",
    "pki": "Make certificates for trying out; in production, use the authority you have.",
    "quarantine": "See why a VRF assigns nothing new, and end that.",
    "reconcile": "Release what a node does not have any more, by the complete list of what it has.",
    "release": "Release what an attachment holds, or one address.",
    "show": "Say who holds an address.",
    "sticky": "Look at the addresses that are kept for their owners, and give some up.",
    "top": "Say how full the pools are, and when they will be full at the rate of the last days.",
    "watch": "Say what is held, and then every change, until Ctrl-C.",
}

_CODES = "\n".join(f"  {code.value:<3} {text}" for code, text in exits.MEANINGS.items())
_HELP = f"""Manage a Moorage server: pools, reservations, nodes, VRFs and addresses.

\b
  moorctl apply -f pools.yaml
  moorctl get allocations --namespace shop
  moorctl show --ip 10.0.0.7

Data goes to standard output, everything else to standard error.

\b
Exit codes:
{_CODES}
"""


class _Commands(groups.Group):
    """Runs a command; each is a module of `moorage.ctl`."""

    package = "moorage.ctl"

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was called for."""
        try:
            result: object = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Leave nothing for the interpreter to flush into the broken pipe.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(exits.Exit.BROKEN_PIPE)
        return result


@click.group(
    cls=_Commands,
    commands=groups.stand_ins(COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"]},
    help=_HELP,
)
@click.version_option(moorage.__version__, prog_name="moorctl")
@settings.before_command
@click.pass_context
def moorctl(ctx: click.Context) -> None:
    """Make the settings known to the command."""
    ctx.ensure_object(settings.Settings)


def main() -> NoReturn:
    """Run moorctl with the arguments of the process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run moorctl; return its exit code, having said what went wrong."""
    as_json = _wants_json(arguments)
    try:
        _refuse_bytes(arguments)
        code = moorctl.main(list(arguments), prog_name="moorctl", standalone_mode=False)
    except exits.Failed as error:
        exits.tell(error.report, as_json=as_json)
        return error.report.exit
    except click.ClickException as error:
        return _refuse(error, as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        return exits.Exit.INTERRUPTED
    return code if isinstance(code, int) else exits.Exit.OK


def _refuse_bytes(arguments: Sequence[str]) -> None:
    """Refuse what is not UTF-8, which no request could carry."""
    settings_given = [text for name, text in os.environ.items() if name.startswith("MOORAGE_")]
    for text in [*arguments, *settings_given]:
        if text.encode(errors="replace").decode() != text:
            raise exits.refused(f"{text!a} is not text in UTF-8")


def _wants_json(arguments: Sequence[str]) -> bool:
    """Tell the format of errors from the bare arguments: those may be what is wrong."""
    pairs = itertools.pairwise([*arguments, ""])
    return any(
        first in {"-ojson", "--output=json"} or (first in {"-o", "--output"} and second == "json")
        for first, second in pairs
    )


def _refuse(error: click.ClickException, *, as_json: bool) -> int:
    if not as_json:
        error.show()
    else:
        report = exits.refused(error.format_message()).report
        exits.tell(report, as_json=True)
    return exits.Exit.USAGE
