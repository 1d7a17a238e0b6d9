"""The network list that the runtime is to use, as its administrator wrote it."""

import json
import pathlib

from moorage.install import errors

IPAM_TYPE = "moorage"


def read(source: pathlib.Path) -> bytes:
    """Return it as it is written, once it is seen to be one whose pods Moorage addresses.

    Raises:
        InstallError: it cannot be read, or a runtime could do nothing with it.
    """
    try:
        content = source.read_bytes()
        document = json.loads(content)
    except OSError as error:
        why = f"cannot be read: {(error.strerror or str(error)).lower()}"
        raise errors.unusable(source, why, "name a network list") from error
    except ValueError as error:
        raise errors.unusable(source, f"is no JSON: {error}", "correct it") from error
    if IPAM_TYPE not in _ipam_types(document):
        raise errors.unusable(
            source,
            f'has no plugin with "ipam": {{"type": "{IPAM_TYPE}"}} in its "plugins"',
            "write a CNI network list with one",
        )
    return content


def _ipam_types(document: object) -> list[object]:
    plugins = document.get("plugins") if isinstance(document, dict) else None
    entries = plugins if isinstance(plugins, list) else []
    ipams = [entry.get("ipam") for entry in entries if isinstance(entry, dict)]
    return [ipam.get("type") for ipam in ipams if isinstance(ipam, dict)]
