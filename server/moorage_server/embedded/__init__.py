"""The PostgreSQL that moorage-server can bring along: its binaries, its user, its life and death.

Start at `cluster`. The package stands beside the four layers and knows nothing of addresses; the
schema inside the database belongs to the migrations.
"""
