"""Connections between parts of the lab, which can be parted: nothing passes, and nobody is told."""

import socket

from chaos.links import Link


class Way(Link):
    """The way to one port. While it is parted, connections are made and stay, and are silent."""

    def part(self) -> None:
        """From now on nothing passes, in neither direction."""
        self.hold()

    def _pump(self, source: socket.socket, sink: socket.socket, held: bool) -> None:  # noqa: ARG002
        super()._pump(source, sink, True)  # both ways, and not only what comes back
