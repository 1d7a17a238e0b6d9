"""Every text that a request can carry, one by one."""

from collections.abc import Callable, Iterator, MutableMapping, MutableSequence

from google.protobuf import descriptor
from google.protobuf.message import Message

Put = Callable[[str], None]
_STRING = descriptor.FieldDescriptor.CPPTYPE_STRING


def texts(message: Message, path: str = "") -> Iterator[tuple[str, Put]]:
    """The path of every text in a message, and what replaces it; of lists, the first entry."""
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            yield f"{path}{field.name} key", _put_key(value)
            yield f"{path}{field.name} value", _put_item(value, "key")
        elif kind is not None:
            for inner in value[:1] if field.is_repeated else [value]:
                yield from texts(inner, f"{path}{field.name}.")
        elif field.cpp_type == _STRING and field.is_repeated:
            yield f"{path}{field.name}[0]", _put_first(value)
        elif field.cpp_type == _STRING:
            yield f"{path}{field.name}", _put_field(message, field.name)


def clear(message: Message, name: str) -> None:
    """Takes a field away, where messages of this type have it."""
    if name in message.DESCRIPTOR.fields_by_name:
        message.ClearField(name)


def _put_field(message: Message, name: str) -> Put:
    return lambda text: setattr(message, name, text)


def _put_first(values: MutableSequence[str]) -> Put:
    def put(text: str) -> None:
        values[:] = [text, *values[1:]]

    return put


def _put_key(values: MutableMapping[str, str]) -> Put:
    return lambda text: values.update({text: "value"})


def _put_item(values: MutableMapping[str, str], key: str) -> Put:
    return lambda text: values.update({key: text})
