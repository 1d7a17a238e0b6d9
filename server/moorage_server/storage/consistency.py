"""Whether what is stored of a VRF agrees with itself, by the rules of `rules`.

Their queries look at whole tables, which no other query of the server does.
"""

import dataclasses

import sqlalchemy as sa

from moorage_server.domain import addresses
from moorage_server.storage import arrays, rules

FINDINGS_PER_RULE = 1000

# The server's transactions forbid what serves a look at everything: see `database`.
_LOOK_AT_EVERYTHING = sa.text("""
SELECT set_config('enable_seqscan', 'on', true), set_config('enable_hashjoin', 'on', true),
    set_config('enable_mergejoin', 'on', true)
""")
# By the position of columns: an address and a message may be made of several.
_FIRST = " ORDER BY 2, 1, 4 LIMIT :limit"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One row that breaks a rule."""

    message: str
    address: addresses.Address | None = None
    block: addresses.Network | None = None
    generation: int = 0


def prepare(connection: sa.Connection) -> None:
    """Lets the transaction look at whole tables."""
    connection.execute(_LOOK_AT_EVERYTHING)


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Some blocks of a VRF, with all their addresses."""

    blocks: tuple[addresses.Network, ...]

    @property
    def parameters(self) -> dict[str, str]:
        """Those of the queries."""
        inside = (str(address) for block in self.blocks for address in block)
        return {"blocks": arrays.texts(map(str, self.blocks)), "addresses": arrays.texts(inside)}


def findings(
    connection: sa.Connection, vrf_id: int, rule: rules.Rule, part: Part | None = None
) -> list[Finding]:
    """What breaks a rule in a VRF or a part of it, in order of address.

    The last one says where more is left.
    """
    parameters: dict[str, object] = {"vrf_id": vrf_id, "limit": FINDINGS_PER_RULE + 1}
    query = rule.query.format(**(rules.SOME if part else rules.WHOLE)) + _FIRST
    if part:
        parameters |= part.parameters
    rows = connection.execute(sa.text(query), parameters).all()
    found = [
        Finding(
            address=row.address,
            block=row.block,
            generation=row.generation,
            message=row.message,
        )
        for row in rows[:FINDINGS_PER_RULE]
    ]
    if len(rows) > FINDINGS_PER_RULE:
        told = f"only the first {FINDINGS_PER_RULE} findings of this rule are told; there are more"
        found.append(Finding(message=told))
    return found
