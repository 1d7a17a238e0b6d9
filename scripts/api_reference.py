"""The API's pages of the documentation: the protos, with their comments.

Each proto has a page. What a type is named leads to where it is described.
"""

import dataclasses
import pathlib
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from google.protobuf import descriptor_pb2 as descriptors

PROTOS: Final = pathlib.Path(__file__).resolve().parent.parent / "proto"
FOLDER: Final = "reference"
ERRORS: Final = "ErrorReason"  # has a page of its own

# Numbers of fields by which a comment's place is told.
_SYNTAX: Final = 12
_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6  # of FileDescriptorProto
_FIELDS, _NESTED, _NESTED_ENUMS = 2, 3, 4  # of DescriptorProto
_METHODS = _VALUES = 2  # of ServiceDescriptorProto, of EnumDescriptorProto

_Place = tuple[int, ...]
# A line that begins with reasons begins an item: `POOL_DISABLED, POOL_DRAINING (...): ...`.
_ITEM: Final = re.compile(r"[A-Z][A-Z_]{3,}(?:[,:]| \([A-Z_]+\))")
_SCALARS: Final = {
    number: name.removeprefix("TYPE_").lower()
    for name, number in descriptors.FieldDescriptorProto.Type.items()
}
_FIELD: Final = descriptors.FieldDescriptorProto


@dataclasses.dataclass(frozen=True, slots=True)
class Proto:
    """One file, and what is said of its parts by where they are."""

    file: descriptors.FileDescriptorProto
    comments: Mapping[_Place, str]

    @property
    def name(self) -> str:
        """What the file is called, without its ending."""
        return pathlib.PurePosixPath(self.file.name).stem

    @property
    def title(self) -> str:
        """The file's name in words."""
        return self.name.replace("_", " ").capitalize()

    @property
    def summary(self) -> str:
        """What the file says of itself."""
        return self.comments.get((_SYNTAX,), "")


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """A message, with its name within the package."""

    name: str
    place: _Place
    proto: Proto
    what: descriptors.DescriptorProto


@dataclasses.dataclass(frozen=True, slots=True)
class Enum:
    """An enum, likewise."""

    name: str
    place: _Place
    proto: Proto
    what: descriptors.EnumDescriptorProto


def described() -> list[Proto]:
    """All protos, as buf reads them."""
    command = ["buf", "build", str(PROTOS), "--exclude-imports", "--as-file-descriptor-set"]
    image = subprocess.run([*command, "-o", "-"], check=True, capture_output=True).stdout
    files = descriptors.FileDescriptorSet.FromString(image).file
    return [Proto(file, _comments(file)) for file in files]


def pages(protos: Iterable[Proto]) -> Iterator[tuple[str, str]]:
    """Their paths and texts: one for each proto, and one that lists them."""
    told = [proto for proto in protos if proto.name != "error_reason"]
    homes = {each.name: each.proto.name for proto in protos for each in types(proto)}
    lines = [f"| [{proto.title}]({proto.name}.md) | {_line(proto.summary)} |" for proto in told]
    yield f"{FOLDER}/index.md", _page("The API", _table("page", "", lines))
    for proto in told:
        yield f"{FOLDER}/{proto.name}.md", _Page(proto, homes).text()


def types(proto: Proto) -> Iterator[Message | Enum]:
    """The messages and enums of a proto, each before those within it."""
    for number, message in enumerate(proto.file.message_type):
        yield from _within(Message(message.name, (_MESSAGES, number), proto, message))
    for number, enum in enumerate(proto.file.enum_type):
        yield Enum(enum.name, (_ENUMS, number), proto, enum)


def _within(outer: Message) -> Iterator[Message | Enum]:
    yield outer
    for number, message in enumerate(outer.what.nested_type):
        if not message.options.map_entry:
            place = (*outer.place, _NESTED, number)
            yield from _within(Message(f"{outer.name}.{message.name}", place, outer.proto, message))
    for number, enum in enumerate(outer.what.enum_type):
        place = (*outer.place, _NESTED_ENUMS, number)
        yield Enum(f"{outer.name}.{enum.name}", place, outer.proto, enum)


def methods(proto: Proto) -> Iterator[tuple[str, descriptors.MethodDescriptorProto, str]]:
    """The methods of a proto: their services, and what is said of them."""
    for number, service in enumerate(proto.file.service):
        for position, method in enumerate(service.method):
            place = (_SERVICES, number, _METHODS, position)
            yield service.name, method, proto.comments[place]


def values(enum: Enum) -> Iterator[tuple[descriptors.EnumValueDescriptorProto, str]]:
    """The values of an enum, and what is said of them."""
    for number, value in enumerate(enum.what.value):
        yield value, enum.proto.comments[(*enum.place, _VALUES, number)]


def prose(comment: str) -> str:
    """A comment as Markdown: its paragraphs, and lists of the reasons that it names."""
    return "\n\n".join(_paragraph(each.splitlines()) for each in comment.split("\n\n"))


def _paragraph(lines: list[str]) -> str:
    told: list[str] = []
    for line in lines:
        # The names of an item's reasons may go on in its second line.
        is_open = told and _ITEM.match(told[-1]) and ": " not in told[-1] + " "
        if not told or (_ITEM.match(line) and not is_open):
            told.append(line)
        else:
            told[-1] += f" {line}"
    if not any(map(_ITEM.match, told)):
        return told[0]
    return "\n".join(f"- {each}" if _ITEM.match(each) else f"{each}\n" for each in told)


class _Page:
    """The page of one proto."""

    def __init__(self, proto: Proto, homes: Mapping[str, str]) -> None:
        """Takes the protos by the names of their types."""
        self._proto = proto
        self._homes = homes

    def text(self) -> str:
        parts = [prose(self._proto.summary), *self._services()]
        parts += [self._type(each) for each in types(self._proto)]
        return _page(self._proto.title, *parts)

    def _services(self) -> Iterator[str]:
        for number, service in enumerate(self._proto.file.service):
            yield _headed(2, service.name, prose(self._proto.comments[_SERVICES, number]))
        for _, method, comment in methods(self._proto):
            answer = self._link(method.output_type)
            told = f"stream of {answer}" if method.server_streaming else answer
            asked = f"{self._link(method.input_type)} → {told}"
            yield _headed(3, method.name, asked, prose(comment))

    def _type(self, each: Message | Enum) -> str:
        told = prose(self._proto.comments.get(each.place, ""))
        if isinstance(each, Enum):
            told_of = values(each)
            rows = [f"| `{one.name}` | {one.number} | {_cell(said)} |" for one, said in told_of]
            return _headed(3, each.name, told, _table("value", "number", rows, ""))
        rows = list(self._fields(each))
        return _headed(3, each.name, told, _table("field", "type", rows, "") if rows else "")

    def _fields(self, message: Message) -> Iterator[str]:
        entries = (each for each in message.what.nested_type if each.options.map_entry)
        maps = {entry.name: entry for entry in entries}
        for number, field in enumerate(message.what.field):
            said = self._proto.comments[(*message.place, _FIELDS, number)]
            entry = maps.get(field.type_name.rpartition(".")[2])
            kind = self._map(entry) if entry else self._kind(field)
            yield f"| `{field.name}` | {kind} | {_cell(said)} |"

    def _map(self, entry: descriptors.DescriptorProto) -> str:
        key, value = (self._one(field) for field in entry.field)
        return f"map of {key} to {value}"

    def _kind(self, field: descriptors.FieldDescriptorProto) -> str:
        one = self._one(field)
        if field.label == _FIELD.LABEL_REPEATED:
            return f"repeated {one}"
        return f"optional {one}" if field.proto3_optional else one

    def _one(self, field: descriptors.FieldDescriptorProto) -> str:
        return self._link(field.type_name) if field.type_name else _SCALARS[field.type]

    def _link(self, full_name: str) -> str:
        name = full_name.removeprefix(".moorage.v1.")
        if name == ERRORS:
            return f"[{name}](errors.md)"
        home = self._homes.get(name)
        return f"[{name}]({home}.md#{name})" if home else name.removeprefix(".")


def _comments(file: descriptors.FileDescriptorProto) -> dict[_Place, str]:
    return {
        tuple(each.path): "\n".join(
            line.removeprefix(" ").rstrip() for line in each.leading_comments.splitlines()
        ).strip()
        for each in file.source_code_info.location
        if each.leading_comments
    }


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", *filter(None, parts)]) + "\n"


def _headed(level: int, name: str, *parts: str) -> str:
    return "\n\n".join([f"{'#' * level} {name} {{ #{name} }}", *filter(None, parts)])


def _table(first: str, second: str, rows: Iterable[str], *others: str) -> str:
    heads = [first, second, *others]
    return "\n".join([f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *rows])


def _cell(comment: str) -> str:
    return " ".join(comment.split()).replace("|", "\\|")


def _line(comment: str) -> str:
    return _cell(comment.partition("\n\n")[0])
