"""Curves of a run, drawn as SVG beside its page."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

_SIZE = {"width": 720, "height": 360}
_STYLE = {"background": "white", "plot_background": "white", "font_family": "sans-serif"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Curves over the same steps; `name` is that of the file, without its ending."""

    name: str
    across: str
    upward: str
    steps: Sequence[str]
    curves: Mapping[str, Sequence[float | None]]


def draw(chart: Chart, title: str, directory: pathlib.Path) -> pathlib.Path:
    """Writes it into a directory; returns where."""
    # It leaves a finder in the interpreter of which Python warns at every module that is not there.
    import pygal  # noqa: PLC0415
    from pygal.style import Style  # noqa: PLC0415

    drawing = pygal.Line(
        title=title,
        x_title=chart.across,
        y_title=chart.upward,
        x_labels=list(chart.steps),
        style=Style(**_STYLE),
        min_scale=4,
        range=(0, None),
        include_x_axis=True,
        legend_at_bottom=True,
        js=[],  # a picture that asks no other machine for anything
        **_SIZE,
    )
    for name, values in chart.curves.items():
        drawing.add(name, list(values))
    path = directory / f"{chart.name}.svg"
    path.write_bytes(drawing.render())
    return path
