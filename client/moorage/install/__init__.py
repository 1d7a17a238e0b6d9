"""Puts on a node what its container runtime needs: the program, the network, the credentials."""
