"""Names of resources for a shell that completes a command line.

Whatever goes wrong there is no name to suggest, and nothing is said: somebody is typing.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator

import click
from click.shell_completion import CompletionItem

import moorage
from moorage import names
from moorage.ctl import exits, kinds, settings

PATIENCE = 1.0  # seconds
MOST = 200

Suggest = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def of(kind: kinds.Kind) -> Suggest:
    """Return what suggests the names of a kind."""

    def suggest(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
        return _found(ctx, kind, begun)

    return suggest


def of_chosen(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Suggest names of the kind that is on the command line."""
    kind = ctx.params.get("kind")
    return _found(ctx, getattr(kind, "counterpart", kind), begun)


def _found(ctx: click.Context, kind: object, begun: str) -> list[CompletionItem]:
    if not isinstance(kind, kinds.Kind) or kind is kinds.Kind.ALLOCATION:
        return []
    try:
        return [CompletionItem(name) for name in itertools.islice(_names(ctx, kind, begun), MOST)]
    except (exits.Failed, moorage.MoorageError):
        return []


def _names(ctx: click.Context, kind: kinds.Kind, begun: str) -> Iterator[str]:
    where = dataclasses.replace(ctx.obj or settings.Settings(), timeout=PATIENCE)
    with where.connected("complete a name") as client:
        for each in kinds.listing(client, kind, {}, where.vrf):
            own_id = names.id_of(each.name)
            if own_id.startswith(begun):
                yield own_id
