"""The manual pages of moorctl: what each command says of itself in its help, as `man` reads it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

import moorage

# A line that begins so is a request, not text.
_REQUEST = re.compile(r"^(?=[.'])", re.MULTILINE)
_LONGEST_SUMMARY = 200


def pages(root: click.Command) -> Iterator[tuple[str, str]]:
    """Yield every page with the name of its file: that of the program, and one for each command."""
    for ctx in _contexts(click.Context(root, info_name="moorctl")):
        yield f"{_name(ctx)}.1", "\n".join(_page(ctx)) + "\n"


def _contexts(ctx: click.Context) -> Iterator[click.Context]:
    """Yield the context of a command, and of all commands below it."""
    yield ctx
    for below in _below(ctx):
        yield from _contexts(below)


def _below(ctx: click.Context) -> Iterator[click.Context]:
    if isinstance(ctx.command, click.Group):
        for name in ctx.command.list_commands(ctx):
            command = ctx.command.get_command(ctx, name)
            if command is not None:
                yield click.Context(command, info_name=name, parent=ctx)


def _page(ctx: click.Context) -> Iterator[str]:
    title = _escaped(_name(ctx).upper())
    yield f'.TH "{title}" "1" "" "moorctl {moorage.__version__}" "Moorage"'
    yield ".SH NAME"
    yield f"{_escaped(_name(ctx))} \\- {_escaped(_summary(ctx))}"
    yield ".SH SYNOPSIS"
    yield f"\\fB{_escaped(ctx.command_path)}\\fR {_escaped(_usage(ctx))}"
    yield ".SH DESCRIPTION"
    yield from _text(ctx.command.help or "")
    yield ".SH OPTIONS"
    for param in ctx.command.get_params(ctx):
        record = param.get_help_record(ctx)
        # Arguments are spoken of in the description.
        if record is not None and record[1]:
            yield from _entry(*record)
    yield from _commands(list(_below(ctx)))
    if ctx.parent is not None:
        yield ".SH SEE ALSO"
        yield f".BR {_escaped(_name(ctx.parent))} (1)"


def _commands(below: list[click.Context]) -> Iterator[str]:
    if below:
        yield ".SH COMMANDS"
    for ctx in below:
        yield from _entry(f"{_name(ctx)}(1)", _summary(ctx))


def _entry(term: str, text: str) -> Iterator[str]:
    yield ".TP"
    yield f"\\fB{_escaped(term)}\\fR"
    yield _escaped(text)


def _text(text: str) -> Iterator[str]:
    r"""Yield the paragraphs of a help text; those that begin with \b keep their lines."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if paragraph.startswith("\b"):
            yield from (".PP", ".nf", _escaped(paragraph.lstrip("\b\n")), ".fi")
        else:
            yield from (".PP", _escaped(" ".join(paragraph.split())))


def _name(ctx: click.Context) -> str:
    return ctx.command_path.replace(" ", "-")


def _summary(ctx: click.Context) -> str:
    return ctx.command.get_short_help_str(_LONGEST_SUMMARY).rstrip(".")


def _usage(ctx: click.Context) -> str:
    return " ".join(ctx.command.collect_usage_pieces(ctx))


def _escaped(text: str) -> str:
    return _REQUEST.sub(r"\\&", text.replace("\\", r"\e").replace("-", r"\-"))
