"""Spoils messages: random fields of random requests get values that nobody should send."""

from google.protobuf import descriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from moorage_server.api import page_tokens

NOT_TEXT = ("", "\x00", "a\x00b", "a\nb", "\x1b[2J", "\u202e", "\U0001f600" * 70, "%s", '"', "\\")
LONG = ("x" * 64, "x" * 254, "x" * 1025, "x" * 100_000, "ü" * 128, "(" * 30)
NAMES = (
    *("web", "default", "WEB", "a.b", "-", "*", "dns", "dns.domain", "labels.tier", "name", "cidr"),
    *("vrfs/", "vrfs/default", "vrfs/nowhere", "vrfs/default/pools/web", "vrfs/default/pools/"),
    *("vrfs/default/allocations/10.0.0.5", "vrfs/default/allocations/fe80::1%eth0"),
)
ADDRESSES = (
    *("10.0.0.5", "010.0.0.5", "10.0.0.5/24", "10.0.0.0/24", "10.0.0.0/255.255.255.0", "10.0.0"),
    *("0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/33", "10.0.0.9-10.0.0.1", "10.0.0.1-fd00::1", "-"),
    *("fd00::7", "fd00::/64", "fe80::1%eth0", "::ffff:10.0.0.5", "::ffff:0:0/96", "::/0"),
    "0:0:0:0:0:ffff:10.0.0.0/120",
)
SELECTORS = ("has(", "!all()", "global()", "a == 'b'", "'; DROP TABLE pools; --", "{}", "null")
TEXT = st.one_of(*map(st.sampled_from, (NOT_TEXT, LONG, NAMES, ADDRESSES, SELECTORS)))
NUMBERS = (0, 1, -1, 5, 19, 24, 33, 99, 1001, 2**31 - 1, -(2**31))
LARGE_NUMBERS = (*NUMBERS, 2**63 - 1, -(2**63))
COUNTS = (1, 2, 9, 17, 33, 300)
FORGED = ("", "x", "10.0.0.5", "10.0.0.0/24", "x" * 300, "\x00", "WEB", "web")


def spoil(draw: st.DrawFn, message: Message) -> None:
    """Changes one field of a message, or of a message inside it."""
    name = draw(st.sampled_from([field.name for field in message.DESCRIPTOR.fields]))
    field = message.DESCRIPTOR.fields_by_name[name]
    if draw(st.integers(0, 9)) == 0:
        message.ClearField(name)
    elif field.is_repeated:
        _spoil_repeated(draw, message, name)
    elif field.message_type is not None:
        inner = getattr(message, name)
        inner.SetInParent()
        spoil(draw, inner)
    else:
        setattr(message, name, draw(_values(message, name)))


def forge(draw: st.DrawFn, message: Message) -> None:
    """Gives a listing a page token that only its last key gives away."""
    if "page_token" in message.DESCRIPTOR.fields_by_name and draw(st.booleans()):
        token = page_tokens.encode(message, draw(st.sampled_from(FORGED)))
        message.page_token = token  # type: ignore[attr-defined]  # it has one


def _spoil_repeated(draw: st.DrawFn, message: Message, name: str) -> None:
    values, kind = getattr(message, name), message.DESCRIPTOR.fields_by_name[name].message_type
    count = draw(st.sampled_from(COUNTS))
    if kind is not None and kind.GetOptions().map_entry:
        values.update({str(number): "" for number in range(count)})
        values[draw(TEXT)] = draw(TEXT)
    elif kind is None:
        values.extend([draw(_values(message, name))] * count)
    elif values:
        spoil(draw, values[draw(st.integers(0, len(values) - 1))])
    else:
        values.add()


def _values(message: Message, name: str) -> st.SearchStrategy[str | int | bool]:
    match message.DESCRIPTOR.fields_by_name[name].cpp_type:
        case descriptor.FieldDescriptor.CPPTYPE_STRING:
            return TEXT
        case descriptor.FieldDescriptor.CPPTYPE_BOOL:
            return st.booleans()
        case descriptor.FieldDescriptor.CPPTYPE_INT64:
            return st.sampled_from(LARGE_NUMBERS)
        case _:
            return st.sampled_from(NUMBERS)
