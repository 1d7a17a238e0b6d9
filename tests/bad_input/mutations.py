"""Spoils messages: random fields of random requests get values that nobody should send."""

from google.protobuf import descriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from moorage_server.api import page_tokens

Field = descriptor.FieldDescriptor

TEXTS = (
    *("", " ", "\x00", "a\nb", "\x1b[2J", "\u202e", "ü" * 64, "\U0001f600" * 70, '"', "\\", "%s"),
    *("x" * 64, "x" * 254, "x" * 1025, "x" * 100_000, "'; DROP TABLE pools; --", "{}", "null"),
    *("web", "default", "WEB", "a.b", "-", "*", "dns", "dns.domain", "labels.tier", "name", "cidr"),
    *("vrfs/", "vrfs/default", "vrfs/nowhere", "vrfs/default/pools/web", "vrfs/default/pools/"),
    *("vrfs/default/allocations/10.0.0.5", "vrfs/default/allocations/fe80::1%eth0"),
    *("10.0.0.5", "010.0.0.5", "10.0.0.5/24", "10.0.0.0/24", "10.0.0.0/255.255.255.0", "10.0.0"),
    *("0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/33", "10.0.0.9-10.0.0.1", "10.0.0.1-fd00::1", "-"),
    *("fd00::7", "fd00::/64", "fe80::1%eth0", "::ffff:10.0.0.5", "::ffff:0:0/96", "::/0"),
    *("0:0:0:0:0:ffff:10.0.0.0/120", "has(", "!all()", "global()", "a == 'b'", "(" * 30),
)
NUMBERS = (0, 1, -1, 5, 19, 24, 33, 99, 1001, 2**31 - 1, -(2**31))
LARGE_NUMBERS = (*NUMBERS, 2**63 - 1, -(2**63))
COUNTS = (1, 2, 9, 17, 33, 300)
FORGED = ("", "x", "10.0.0.5", "fd00::7", "10.0.0.0/24", "x" * 300, "\x00", "WEB", "web")


def spoil(draw: st.DrawFn, message: Message) -> None:
    """Changes one field of a message, or of a message inside it."""
    fields: list[Field] = list(message.DESCRIPTOR.fields)
    field = draw(st.sampled_from(fields))
    if draw(st.integers(0, 9)) == 0:
        message.ClearField(field.name)
    elif field.name == "page_token":
        message.page_token = draw(_tokens(message))  # type: ignore[attr-defined]  # it has one
    elif field.is_repeated:
        _spoil_repeated(draw, message, field)
    elif field.message_type is not None:
        inner = getattr(message, field.name)
        inner.SetInParent()
        spoil(draw, inner)
    else:
        setattr(message, field.name, draw(_scalars(field)))


def _spoil_repeated(draw: st.DrawFn, message: Message, field: Field) -> None:
    values, kind = getattr(message, field.name), field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        for at in range(draw(st.sampled_from(COUNTS))):
            values[f"{draw(_texts()) if at == 0 else at}"] = draw(_texts()) if at == 0 else "v"
    elif kind is None:
        values.extend([draw(_scalars(field))] * draw(st.sampled_from(COUNTS)))
    elif values:
        spoil(draw, values[draw(st.integers(0, len(values) - 1))])
    else:
        values.add()


def _texts() -> st.SearchStrategy[str]:
    return st.sampled_from(TEXTS)


def _scalars(field: Field) -> st.SearchStrategy[str | int | bool]:
    match field.cpp_type:
        case Field.CPPTYPE_STRING:
            return _texts()
        case Field.CPPTYPE_BOOL:
            return st.booleans()
        case Field.CPPTYPE_INT64:
            return st.sampled_from(LARGE_NUMBERS)
        case _:
            return st.sampled_from(NUMBERS)


def _tokens(message: Message) -> st.SearchStrategy[str]:
    """Page tokens that are nonsense, and some that only their last key gives away."""
    forged = st.sampled_from(FORGED).map(lambda key: page_tokens.encode(message, key))
    return _texts() | forged
