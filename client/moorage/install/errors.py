"""What makes installing impossible, worded for who has to mend it."""

import pathlib


class InstallError(Exception):
    """Nothing was changed at the place that it names; the text ends with what to do."""


def unusable(path: pathlib.Path, why: str, advice: str) -> InstallError:
    """Say what is wrong with a path."""
    return InstallError(f"{path} {why}; {advice}")
