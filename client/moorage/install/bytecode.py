"""The package's modules compiled beforehand, where whoever put them there has not done so.

pip does, uv does not unless told. A runtime that may write there would leave them behind by its
first call; one that may not would compile them at every call.
"""

import compileall
import os
import pathlib

import moorage


def keep() -> None:
    """Compile what is not, for the Python that runs this; where it may not be written, nothing."""
    for each in moorage.__path__:
        if os.access(each, os.W_OK):
            compileall.compile_dir(pathlib.Path(each), quiet=2)
