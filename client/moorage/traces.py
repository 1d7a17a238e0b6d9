"""Where this process makes its spans, if it traces what it does; loads nothing of OpenTelemetry.

`moorage.telemetry` makes them. Where nobody switched traces on, `spans` is None, and whoever would
have made one has looked that up and done no more.
"""

TYPE_CHECKING = False  # as `typing` has it, which costs half of an interpreter's start
if TYPE_CHECKING:
    from moorage import telemetry

spans: "telemetry.Spans | None" = None
