"""The options that imports have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from moorage.ctl import dry_runs, options
from moorage.ctl.import_ import takeover

_Function = TypeVar("_Function", bound=Callable[..., Any])


def how(*, orphans: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the options about what is done and how it is told, which are passed on as `how`.

    `orphans`: what may lie in no pool; empty where nothing can.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        decorated = _gathering(function)
        if orphans:
            text = f"Also adopt {orphans} in no pool, into draining pools made for them."
            decorated = click.option("--orphans", is_flag=True, help=text)(decorated)
        decorated = options.output(["text", "json"])(decorated)
        return dry_runs.unless_applied("Adopt; without it, nothing is changed.")(decorated)

    return decorate


def _gathering(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def gathering(
        *arguments: object, applies: bool, output: str, orphans: bool = False, **others: object
    ) -> None:
        asked = takeover.How(applies=applies, orphans=orphans, output=output)
        function(*arguments, how=asked, **others)

    return gathering


def interface(default: str, text: str) -> Callable[[_Function], _Function]:
    """Return the option for the interface of attachments of which it is not known."""
    return click.option(
        "--interface", default=default, show_default=True, metavar="NAME", help=text
    )


def cluster(what: str) -> Callable[[_Function], _Function]:
    """Return the option for the cluster that the pods are of."""
    text = f"Uid of the {what}'s cluster, that of its namespace kube-system."
    return click.option("--cluster", default="", metavar="UID", help=text)
