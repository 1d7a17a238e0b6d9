"""Which namespaces may use which pools, and ask for which fixed addresses: nobody is restricted.

The servers of before write rows without these columns, and leave them as they are.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Defaults that are constants, so that no row is written anew.
STATEMENTS = (
    "ALTER TABLE vrfs ADD COLUMN strict_namespaces BOOLEAN DEFAULT 'false' NOT NULL",
    "ALTER TABLE vrfs ADD COLUMN fixed_address_grants JSONB DEFAULT '[]' NOT NULL",
    "ALTER TABLE pools ADD COLUMN allowed_namespaces TEXT[] DEFAULT '{}' NOT NULL",
    "ALTER TABLE pools ADD COLUMN fixed_addresses TEXT DEFAULT 'ANY' NOT NULL",
    "ALTER TABLE pools ADD CONSTRAINT pools_fixed_addresses"
    " CHECK (fixed_addresses IN ('ANY', 'GRANTED', 'NONE'))",
)


def upgrade() -> None:
    """Adds columns."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drops what was granted."""
    op.execute("ALTER TABLE pools DROP COLUMN fixed_addresses, DROP COLUMN allowed_namespaces")
    op.execute("ALTER TABLE vrfs DROP COLUMN fixed_address_grants, DROP COLUMN strict_namespaces")
