"""What is quoted of the page by hand is what the page says."""

import pathlib

import pytest

from bench import quotes

ROOT = pathlib.Path(__file__).parents[2]

PAGE = """\
## What is asked, and what was seen

| goal | asked | seen | in the rounds |
| --- | --- | --- | --- |
| a rate | ≥ 0.7 | **0.25** | 0.19 to 0.45 |
| a time | ≤ 1.3 | 1.24 | 1.19 to 1.33 |

## A chapter

| something | else | there | is |
| --- | --- | --- | --- |
| of | no | goal | at all |
"""
SUMMARY = """\
## What it costs

| | asked | seen |
|---|---|---|
| a rate | ≥ 0.7 | **0.25** |
| a time | ≤ 1.3 | 1.2 |
"""
ACCOUNT = """\
### What is missed, and what bounds it

| missed | asked | seen | bound by |
| --- | --- | --- | --- |
| a rate | ≥ 0.7 | 0.3 | two cores |
"""


def test_readme_and_docs_say_what_the_page_says() -> None:
    places = ("bench/results/latest.md", "README.md", "docs/performance.md")
    page, summary, account = ((ROOT / place).read_text() for place in places)
    wrong = quotes.differences(page, summary, account)
    assert not wrong, "the page says otherwise:\n" + "\n".join(wrong)


def test_figures_may_be_rounded() -> None:
    assert quotes.differences(PAGE, SUMMARY, ACCOUNT) == []


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ("**0.25**", "**0.35**", ["README.md", "performance.md"]),
        ("1.24", "1.26", ["README.md"]),
        ("≥ 0.7", "≥ 0.6", ["README.md", "performance.md"]),
        ("1.24", "**1.24**", ["README.md", "performance.md: is missed, and not there"]),
        ("**0.25**", "0.25", ["README.md", "performance.md"]),
        ("a time", "an hour", ["README.md"]),
        ("1.24", "skipped: none was", ["README.md"]),
    ],
)
def test_another_page_tells_which_rows_are_to_be_corrected(
    before: str, now: str, told: list[str]
) -> None:
    wrong = quotes.differences(PAGE.replace(before, now), SUMMARY, ACCOUNT)
    assert len(wrong) == len(told), wrong
    for line, start in zip(wrong, told, strict=True):
        assert line.startswith(start)
        assert now in line or "no row of the page" in line or now.strip("*") in line


def test_a_row_that_the_page_does_not_have_is_told_of() -> None:
    wrong = quotes.differences(PAGE, SUMMARY + "| a dream | ≥ 1 | 2 |\n", ACCOUNT)
    assert wrong == ["README.md: | a dream | ≥ 1 | 2 |\n    is now no row of the page"]
