"""`python -m moorage_server` is `moorage-server`."""

from moorage_server.cli import main

main()
