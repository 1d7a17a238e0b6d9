"""What is said of a fault of our own: where it happened, and nothing of what it happened with."""

import json
import os


def places(error: Exception) -> str:
    """Names the file and line of every frame, outermost first."""
    found = []
    trace = error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        found.append(f"{os.path.basename(code.co_filename)}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " > ".join(found)


def document(error: Exception) -> bytes:
    """Renders the error document; the message of the error is left out, it may hold a secret."""
    fields = {
        "cniVersion": "1.1.0",
        "code": 999,
        "msg": f"internal error of moorage: {type(error).__name__}",
        "details": f"please report it with this incident: {places(error)}",
    }
    return json.dumps(fields).encode() + b"\n"
