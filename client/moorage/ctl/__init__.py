"""moorctl: pools, reservations, nodes, VRFs and addresses from a terminal.

`program` is the entry. Each command is the module of its name. `documents`, `specs` and `manifests`
read what is written in YAML, `kinds` calls the server, `columns` and `render` print what it
answered, `exits` says what went wrong. Nothing here loads gRPC before a server is called.
"""
