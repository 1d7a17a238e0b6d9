"""How many addresses a node, or a namespace, may hold: nobody is limited.

The servers of before leave the new columns as they are, and limit nobody.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Defaults that are constants, so that no row is written anew.
STATEMENTS = (
    "ALTER TABLE vrfs ADD COLUMN addresses_per_node INTEGER DEFAULT '0' NOT NULL",
    "ALTER TABLE vrfs ADD COLUMN addresses_per_namespace INTEGER DEFAULT '0' NOT NULL",
    "ALTER TABLE vrfs ADD COLUMN namespace_quotas JSONB DEFAULT '[]' NOT NULL",
    "ALTER TABLE vrfs ADD CONSTRAINT vrfs_addresses_per_node CHECK (addresses_per_node >= 0)",
    "ALTER TABLE vrfs ADD CONSTRAINT vrfs_addresses_per_namespace"
    " CHECK (addresses_per_namespace >= 0)",
)


def upgrade() -> None:
    """Adds columns."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drops every quota."""
    op.execute(
        "ALTER TABLE vrfs DROP COLUMN namespace_quotas, DROP COLUMN addresses_per_namespace,"
        " DROP COLUMN addresses_per_node"
    )
