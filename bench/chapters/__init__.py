"""The chapters of a page: each measures rows of one kind, round by round, and tells of them."""

from typing import Protocol


class Chapter(Protocol):
    """One kind of row. `prepare` comes once, then `round` as often as there are rounds."""

    title: str

    def prepare(self) -> None:
        """Makes what is measured."""

    def round(self) -> None:
        """Measures every row once."""

    def section(self) -> str:
        """What there is to tell, in Markdown, without the title."""
