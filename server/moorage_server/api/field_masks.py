"""Update masks: which fields of a stored resource an update replaces.

Nested paths are honoured. What the new values must be is checked by the decoding
of the resource that comes out.
"""

from typing import TypeVar

from google.protobuf import descriptor, field_mask_pb2, message

from moorage_server.api.violations import Violations, shown

M = TypeVar("M", bound=message.Message)

FIELD = "update_mask"
EVERYTHING = "*"
PATHS = 64  # more than there are fields in any resource
OUTPUT_ONLY = frozenset(
    {"name", "uid", "etag", "create_time", "update_time", "state", "quarantines"}
)


def decode(
    found: Violations, mask: field_mask_pb2.FieldMask, of: descriptor.Descriptor
) -> field_mask_pb2.FieldMask:
    """The paths to replace: all that may change for "*" or no mask, none that is output-only."""
    if found.at_most(FIELD, mask.paths, PATHS):
        for path in mask.paths:
            if path != EVERYTHING and not _is_of(path, of):
                found.add(FIELD, f"{shown(path)} is no field of {of.name}; leave it out")
    paths = list(mask.paths)
    if not paths or EVERYTHING in paths:
        paths = [field.name for field in of.fields]
    return field_mask_pb2.FieldMask(
        paths=[path for path in paths if path.partition(".")[0] not in OUTPUT_ONLY]
    )


def merged(mask: field_mask_pb2.FieldMask, *, given: M, stored: M) -> M:
    """What is stored, with the fields that a decoded mask names replaced by those given."""
    source, result = type(given)(), type(stored)()
    source.CopyFrom(given)
    result.CopyFrom(stored)
    for path in mask.paths:
        _make_present(source, path)
    mask.MergeMessage(source, result, replace_message_field=True, replace_repeated_field=True)
    return result


def _is_of(path: str, of: descriptor.Descriptor) -> bool:
    return field_mask_pb2.FieldMask(paths=[path]).IsValidForDescriptor(of)


def _make_present(source: message.Message, path: str) -> None:
    # A nested field that is not given is to be cleared, but merging passes over what
    # lies in a message that is absent.
    parent, dot, rest = path.partition(".")
    if dot:
        inner: message.Message = getattr(source, parent)
        inner.SetInParent()
        _make_present(inner, rest)
