"""Which versions of CNI are spoken, and in which one a call is answered.

All that a VERSION needs, so it loads as little as can be: that is most of what such a call costs.
"""

import json

from moorage.cni import jsontext

VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]


def document(stdin: bytes) -> bytes:
    """The answer to a VERSION, whatever it passes."""
    fields = {"cniVersion": answered(stdin), "supportedVersions": VERSIONS}
    return json.dumps(fields).encode() + b"\n"


def answered(stdin: bytes) -> str:
    """In which version to answer, whatever stdin is: the one asked for if we speak it."""
    try:
        configuration = jsontext.decode(stdin)
    except ValueError:
        return NEWEST
    if not isinstance(configuration, dict):
        return NEWEST
    version = configuration.get("cniVersion")
    # Absent means the first version: CNI specification, "Configuration format".
    if version is None or version == "":
        return OLDEST
    return version if version in VERSIONS else NEWEST
