"""What the documentation's site has beside `docs`: read by mkdocs, of which it is a hook.

Pages that are written elsewhere in the repository, the reference of the API, and the list of
decisions. A link to what is on the site leads there; one to anything else becomes its path.
"""

import os
import pathlib
import posixpath
import re
from collections.abc import Iterator
from typing import Final

import api_reference
import error_catalogue
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = pathlib.Path(__file__).resolve().parent.parent
# Where each is in the repository, and on the site.
BROUGHT: Final = {
    "README.md": "index.md",
    "client/README.md": "client.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "examples/README.md": "examples.md",
    "bench/results/latest.md": "bench/latest.md",
    "bench/results/profile.md": "bench/profile.md",
}
# What has become of sources there.
_WRITTEN: Final = {
    "proto/moorage/v1": "reference/index.md",
    "proto/moorage/v1/error_reason.proto": error_catalogue.PATH,
    "docs/decisions": "decisions/index.md",
    "examples": "examples.md",
}
_HOMES: Final = {site: repository for repository, site in BROUGHT.items()}
_LINK: Final = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<to>[^)#:\s]+)(?P<at>#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are not in `docs`."""
    for path, text in _pages():
        files.append(File.generated(config, path, content=text))
    for plot in sorted((ROOT / "bench" / "results").glob("*.svg")):
        files.append(File.generated(config, f"bench/{plot.name}", abs_src_path=str(plot)))
    return files


def on_page_markdown(
    markdown: str,
    page: Page,
    config: MkDocsConfig,  # noqa: ARG001  # as mkdocs calls it
    files: Files,
) -> str:
    """Leads links from where the page is in the repository to where things are on the site."""
    here = page.file.src_uri
    if here.startswith(f"{api_reference.FOLDER}/"):
        return markdown
    home = posixpath.dirname(_HOMES.get(here, f"docs/{here}"))
    return _LINK.sub(lambda link: _led(link, home, posixpath.dirname(here), files), markdown)


def _pages() -> Iterator[tuple[str, str]]:
    for repository, site in BROUGHT.items():
        yield site, (ROOT / repository).read_text()
    protos = api_reference.described()
    yield from api_reference.pages(protos)
    yield error_catalogue.PATH, error_catalogue.page(protos)
    yield "decisions/index.md", _decisions()


def _decisions() -> str:
    lines = []
    for path in sorted((ROOT / "docs" / "decisions").glob("0*.md")):
        title = path.read_text().partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{title}]({path.name})")
    return "\n".join(["# Decisions", "", "Why it is as it is.", "", *lines, ""])


def _led(link: re.Match[str], home: str, folder: str, files: Files) -> str:
    target = posixpath.normpath(posixpath.join(home, link["to"]))
    site = _on_site(target)
    if files.get_file_from_path(site):
        there = f"{os.path.relpath(site, folder or '.')}{link['at'] or ''}"
        return f"{link['image']}[{link['text']}]({there})"
    return link["text"] if link["text"] == target else f"{link['text']} (`{target}`)"


def _on_site(target: str) -> str:
    known = BROUGHT | _WRITTEN
    if target in known:
        return known[target]
    if target.startswith("bench/results/"):
        return target.replace("bench/results/", "bench/")
    return target.removeprefix("docs/")
