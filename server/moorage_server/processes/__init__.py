"""The processes of one command: one that serves, or several that share a port.

Start at `several`. Each of several is a whole server, as if it had been started beside the
others on another machine; what they share is the port, and that they start and end together.
"""
