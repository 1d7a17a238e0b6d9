"""What a caller shows, once it has been read and believed: whom it names, and how long."""

import dataclasses
import time
from typing import Protocol

from moorage_server.api.desk import Context
from moorage_server.domain import errors
from moorage_server.domain.actors import Proof
from moorage_server.domain.callers import Named


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """`begins` and `ends` are on time.time()'s clock; `mark` is the line of the list that denies
    it, empty where there can be none; `by` is what it was believed by, and where that has become
    another it has to be read again.
    """

    proof: Proof
    named: Named
    begins: float
    ends: float
    mark: str
    by: object = None

    @property
    def kind(self) -> str:
        """What it is to people."""
        return self.proof.value.lower()

    def require_standing(self, denied: frozenset[str]) -> None:
        """Raises CredentialRefused where it counts no more, or not yet."""
        now = time.time()
        if now < self.begins:
            raise self._refusal("NOT_YET_VALID", "is not valid yet")
        if now >= self.ends:
            raise self._refusal("EXPIRED", "has expired")
        if self.mark in denied:
            raise self._refusal("DENIED", "is denied")

    def _refusal(self, cause: str, why: str) -> errors.CredentialRefused:
        return errors.CredentialRefused(cause, f"the {self.kind} {why}", who=self.named.name)


class Reader(Protocol):
    """Reads one kind of them."""

    @property
    def by(self) -> object:
        """What it believes at the moment."""

    def shown(self, context: Context) -> bytes | None:
        """What came with a call, as it came; raises CredentialRefused."""

    async def read(self, shown: bytes) -> Credential:
        """Reads and believes it, or raises CredentialRefused."""
