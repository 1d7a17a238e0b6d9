"""The Moorage server.

Four layers, arrows inward: `api` (gRPC in and out) calls `usecases` (one
transaction each), which ask `domain` (pure decisions) and tell `storage` (all
SQL). Beside them: `cli` starts things, `config` reads settings, `embedded` runs
a PostgreSQL of our own.
"""

__version__ = "0.1.0"
