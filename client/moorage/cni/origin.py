"""One value as somebody wrote it, with the place it stands in, so that errors can point there."""

from typing import NamedTuple

from moorage.cni import errors, jsontext


class Origin(NamedTuple):
    """A value and its place: `name` as in 'annotation "x"', `where` as in 'pod default/web-0'."""

    name: str
    where: str
    value: str
    code: errors.Code

    def __str__(self) -> str:
        """Says where the value stands and, shortened, what it is."""
        return f"{self.name} of {self.where} with value {errors.quote(self.value)}"

    def refuse(self, rule: str, next_step: str) -> errors.CniError:
        """Makes the error that this value breaks `rule`."""
        return errors.CniError(self.code, f"{self}: {rule}", next_step)


def strings(source: Origin, most: int) -> tuple[str, ...]:
    """Decodes a JSON list of at most `most` strings; null is an empty list, as in Go."""
    next_step = 'write a JSON list of strings, such as ["a", "b"]'
    try:
        value = jsontext.decode(source.value)
    except ValueError as error:
        raise source.refuse(f"not JSON: {error}", next_step) from error
    if value is None:
        return ()
    if not isinstance(value, list):
        raise source.refuse("not a JSON list", next_step)
    items = [item for item in value if isinstance(item, str)]
    if len(items) != len(value):
        raise source.refuse("an item of the list is not a string", next_step)
    if len(items) > most:
        raise source.refuse(f"{len(items)} items; at most {most} are allowed", "shorten the list")
    return tuple(items)
