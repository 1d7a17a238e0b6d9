"""`python -m moorage.install`: the commands without a program around them."""

import click

from moorage.install import commands

main = click.Group(
    "moorage.install", commands={"install": commands.install, "uninstall": commands.uninstall}
)

if __name__ == "__main__":
    main()
