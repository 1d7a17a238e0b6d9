"""The installed server, telling of every call: `python -m hostile.loud serve ...`."""

import functools

from moorage_server import cli, logs

if __name__ == "__main__":
    logs.configure = functools.partial(logs.configure, level="DEBUG")
    cli.main()
