"""The program moorctl: its commands, and how it ends.

Each command is a module of its own, loaded when it is called for, so that `moorctl --version`
needs neither protobuf nor gRPC.
"""

import itertools
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

import moorage
from moorage.ctl import exits, groups, settings

COMMANDS = (
    "activate",
    "apply",
    "assign",
    "audit",
    "completion",
    "config",
    "delete",
    "describe",
    "diff",
    "drain",
    "explain",
    "get",
    "history",
    "import",
    "ipam",
    "man",
    "pki",
    "quarantine",
    "reconcile",
    "release",
    "show",
    "sticky",
    "top",
    "watch",
)

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
