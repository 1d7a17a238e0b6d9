"""The program `moorage`: the process around the handler.

Reads standard input, prints the one answer, and gives an address back that nobody was there to
hear of. What the answer is, is the handler's part.
"""

import gc
import os
import sys
import time

LONGEST_STDIN = 16 << 20


def main() -> None:
    """Answers the one call that the environment describes, and ends the process."""
    began = _boot_clock()
    # A process that lives for one call is gone before collecting could pay.
    gc.disable()
    _isolate()
    _occupy_standard_descriptors()
    code = _serve(began) if os.environ.get("CNI_COMMAND") else _about()
    # Tearing the interpreter down costs a fifth of a call, for nothing.
    os._exit(code)


def _boot_clock() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _isolate() -> None:
    # A runtime passes its daemon's environment on: PYTHON variables in it are not meant for us.
    if not sys.flags.isolated and any(name.startswith("PYTHON") for name in os.environ):
        os.execv(sys.executable, [sys.executable, "-I", *sys.argv])  # noqa: S606 - no shell wanted


def _occupy_standard_descriptors() -> None:
    # The next socket would get the number of a closed standard output. Opened the wrong way
    # round, so that reading and printing still fail.
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if descriptor else os.O_WRONLY)


def _about() -> int:
    from moorage.cni import versions  # noqa: PLC0415 - nothing is imported before _isolate()

    _print(
        "moorage: CNI IPAM plugin that asks a Moorage server for addresses\n"
        f"CNI protocol versions supported: {', '.join(versions.VERSIONS)}\n".encode(),
        descriptor=2,
    )
    return 0


def _serve(began: int) -> int:
    environment = dict(os.environ)
    # The C core of gRPC would write to standard error, which ends in the runtime's log.
    os.environ["GRPC_VERBOSITY"] = "NONE"
    try:
        return _answer(environment, began)
    except Exception as error:  # the outermost frame: whatever it is, the runtime gets a document
        from moorage.cni import incident  # noqa: PLC0415 - nothing before _isolate()

        _print(incident.document(error))
        return 1


def _answer(environment: dict[str, str], began: int) -> int:
    try:
        stdin = _read_stdin()
    except OSError as error:
        return _refuse_unread(error)
    if environment["CNI_COMMAND"] == "VERSION":
        from moorage.cni import versions  # noqa: PLC0415 - loads less than half of what others do

        return 0 if _print(versions.document(stdin)) else 1
    from moorage.cni import handler, host  # noqa: PLC0415 - nothing before _isolate()

    here = host.Direct()
    reply = handler.handle(environment, stdin, here, began)
    if _print(reply.stdout):
        return reply.exit_code
    if environment["CNI_COMMAND"] == "ADD" and not reply.exit_code:
        # Nobody heard which addresses they are, so nobody is going to use them. As of when the ADD
        # began: its caller may have asked again since, and keeps what it was told then.
        handler.handle({**environment, "CNI_COMMAND": "DEL"}, stdin, here, began)
    return 1


def _refuse_unread(error: OSError) -> int:
    from moorage.cni import errors, handler  # noqa: PLC0415 - nothing before _isolate()

    rule = f"standard input cannot be read: {error.strerror}"
    unread = errors.CniError(errors.Code.IO_FAILURE, rule, "pass the network configuration")
    _print(handler.failure(unread).stdout)
    return 1


def _read_stdin() -> bytes:
    parts = []
    left = LONGEST_STDIN
    while part := os.read(0, min(left, 65536)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _print(document: bytes, descriptor: int = 1) -> bool:
    """Says whether all of it was written."""
    try:
        while document:
            document = document[os.write(descriptor, document) :]
    except OSError:
        return False
    return True
