"""Dry runs: the server is asked whether it would do something, and does nothing.

Where it cannot be asked, because the call has no `validate_only`, a dry run is refused: what this
side could guess is not what the server would do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from moorage.ctl import exits

_ASKED_FOR = f"{__name__}.asked_for"
_F = TypeVar("_F", bound=Callable[..., Any])


def option(function: _F) -> _F:
    """Add the option, as `dry_run`."""
    text = "Ask the server and say what would be done; change nothing."
    return click.option("--dry-run", is_flag=True, help=text)(function)


def unless_applied(text: str) -> Callable[[_F], _F]:
    """Return the option --apply, as `applies`, where a dry run is what is done without it."""

    def decorate(function: _F) -> _F:
        told = click.option(
            "--dry-run",
            is_flag=True,
            # Before --apply, which it contradicts.
            is_eager=True,
            expose_value=False,
            callback=_remember,
            help="Change nothing, which is the default.",
        )(function)
        flag = click.option("--apply", "applies", is_flag=True, callback=_either, help=text)
        return flag(told)

    return decorate


def _remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[_ASKED_FOR] = value


def _either(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
    if value and ctx.meta[_ASKED_FOR]:
        raise click.UsageError("give either --apply or --dry-run")
    return value


def refused(action: str, instead: str) -> Callable[[_F], _F]:
    """Return the option where there is no dry run; `instead` is what to do, as in help."""

    def refuse(_: click.Context, __: click.Parameter, value: bool) -> None:
        if value:
            raise exits.Failed(
                exits.Report(
                    code="UNIMPLEMENTED",
                    reason="NO_DRY_RUN",
                    message=f"cannot {action} as a dry run: the server has no call that only "
                    "checks it; nothing was changed",
                    next_step=instead,
                    exit=exits.Exit.USAGE,
                )
            )

    return click.option(
        "--dry-run",
        is_flag=True,
        expose_value=False,
        callback=refuse,
        help=f"Refused: the server cannot check it without doing it. Instead, {instead}.",
    )


def marked(text: str, *, dry_run: bool) -> str:
    """Return a line of output, marked where nothing was done."""
    return f"{text} (dry run)" if dry_run else text


def document(line: Mapping[str, object], *, dry_run: bool) -> dict[str, object]:
    """Return an object of output, marked where nothing was done."""
    return {**line, "dryRun": True} if dry_run else dict(line)
