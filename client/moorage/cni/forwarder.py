"""The program `moorage` on a node with an agent: passes the call on as it is.

Whatever is wrong with the agent, the program that needs none takes the call over, so that where
there is one a call never fails for want of an agent. Where there is none, the call waits for the
agent for a while. Standard library only, and little of it: to start is all that a call costs here.
A launcher, see `moorage.install.launcher`, says where both are.
"""

# The C module beneath `socket`, whose enums and selectors cost as much as the interpreter's start.
import _socket
import os
import time

# An agent that does not turn to a call in this time is busy, or hangs.
TAKEN_WITHIN = 5.0
# The handler takes 90 seconds at most.
ANSWERED_WITHIN = 100.0
# How long a STATUS takes in all, which is longer than an agent that is replaced is away: the node
# is not to be taken for one without a network. A kubelet gives a runtime up after 30 seconds.
STATUS_PATIENCE = 20.0
FOREVER = float("inf")
LONGEST_STDIN = 16 << 20
# No answer is nearly as long; what claims to be is no agent's.
LONGEST_ANSWER = 1 << 20
# Between two attempts, where an agent is waited for.
FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5

CALL = b"CALL"
TAKEN = HEARD = b"\1"


def main(agent: str, direct: str, versions: "tuple[str, ...]", patience: float) -> None:
    """Answers the one call that the environment describes, and ends the process.

    Where `direct` cannot be run, the agent is waited for until `patience` seconds after it was
    missed; `versions` of CNI are spoken, the newest is the last.
    """
    began = _boot_clock()
    try:
        code = _answer(agent, direct, versions, patience, began)
    except Exception as error:  # the outermost frame: whatever it is, the runtime gets a document
        code = _tell_fault(error, versions[-1])
    # Tearing the interpreter down would cost as much as the call.
    os._exit(code)


def _answer(
    agent: str, direct: str, versions: "tuple[str, ...]", patience: float, began: int
) -> int:
    _occupy_standard_descriptors()
    stdin = _read_stdin() if os.environ.get("CNI_COMMAND") else None
    if stdin is not None:
        try:
            return _forward(agent, began, stdin, _end(began))
        except Exception:  # noqa: S110 - a fault of our own too: the other program may have none
            pass
    _take_over(direct, stdin)
    return _answer_alone(agent, direct, versions, patience, began, stdin)


def _boot_clock() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _occupy_standard_descriptors() -> None:
    # The socket would get the number of a closed standard output. Opened the wrong way round, so
    # that reading and printing still fail.
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if descriptor else os.O_WRONLY)


def _read_stdin() -> "bytes | None":
    parts, left = [], LONGEST_STDIN
    try:
        while part := os.read(0, min(left, 65536)):
            parts.append(part)
            left -= len(part)
    except OSError:
        return None
    return b"".join(parts)


def _end(began: int) -> float:
    """When whoever made the call hears no answer any more, on the boot-time clock."""
    is_status = os.environ.get("CNI_COMMAND") == "STATUS"
    return _after(began, STATUS_PATIENCE) if is_status else FOREVER


def _after(moment: int, seconds: float) -> int:
    return moment + int(seconds * 1e9)


def _forward(agent: str, began: int, stdin: bytes, end: float) -> int:
    """Returns the exit code; raises OSError where the agent does not answer, before `end`."""
    environment = b"\0".join(b"=".join(pair) for pair in os.environb.items())
    numbers = ((began, 8), (len(environment), 4), (len(stdin), 4))
    header = CALL + b"".join(number.to_bytes(size, "big") for number, size in numbers)
    until = min(end, _after(_boot_clock(), TAKEN_WITHIN))
    connection = _socket.socket(_socket.AF_UNIX)
    try:
        _connect(connection, agent, until)
        _limit(connection, until)
        connection.sendall(header + environment + stdin)
        if _receive(connection, 1, until) != TAKEN:
            raise ConnectionAbortedError
        code, document = _answer_of(connection, min(end, _after(_boot_clock(), ANSWERED_WITHIN)))
        is_heard = _print(document)
        _tell_agent(connection, is_heard)
        return code if is_heard else 1
    finally:
        connection.close()


def _answer_of(connection: _socket.socket, until: float) -> "tuple[int, bytes]":
    code, *length = _receive(connection, 5, until)
    size = int.from_bytes(length, "big")
    if size > LONGEST_ANSWER:
        raise ConnectionAbortedError
    return code, _receive(connection, size, until)


def _tell_agent(connection: _socket.socket, is_heard: bool) -> None:
    try:
        if is_heard:
            connection.send(HEARD)
        else:
            # The agent gives back what nobody heard of, and hangs up when it has.
            connection.shutdown(_socket.SHUT_WR)
            connection.recv(1)
    except OSError:
        pass  # what is printed is printed


def _connect(connection: _socket.socket, agent: str, until: float) -> None:
    connection.setblocking(False)
    while True:
        try:
            return connection.connect(agent)
        except BlockingIOError:  # EAGAIN: too many wait to be let in
            if _boot_clock() > until:
                raise
            time.sleep(0.01)


def _receive(connection: _socket.socket, size: int, until: float) -> bytes:
    received = b""
    while len(received) < size:
        _limit(connection, until)
        part = connection.recv(size - len(received))
        if not part:
            raise ConnectionResetError
        received += part
    return received


def _limit(connection: _socket.socket, until: float) -> None:
    left = (until - _boot_clock()) / 1e9
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)


def _print(document: bytes) -> bool:
    try:
        _write(1, document)
    except OSError:
        return False
    return True


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _take_over(direct: str, stdin: "bytes | None") -> None:
    """Becomes the other program; returns where that cannot be run, or is this one."""
    try:
        # As where the Python of the launcher lies among the plugins: it would go on for ever.
        if os.path.samefile(direct, __file__):
            return
        if stdin is not None:
            # It was read to its end: the other program gets it anew.
            anew = _nameless_file()
            _write(anew, stdin)
            os.lseek(anew, 0, os.SEEK_SET)
            os.dup2(anew, 0)
        os.execv(direct, [direct])  # noqa: S606 - no shell wanted
    except OSError:
        pass


def _nameless_file() -> int:
    try:
        return os.memfd_create("stdin")
    except (AttributeError, OSError):  # neither every Python has it nor every kernel
        import tempfile  # noqa: PLC0415 - costs much, and is needed there alone

        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())


def _answer_alone(
    agent: str,
    direct: str,
    versions: "tuple[str, ...]",
    patience: float,
    began: int,
    stdin: "bytes | None",
) -> int:
    """Returns the exit code, where there is neither an answer of the agent nor another program."""
    version = _version_asked_for(stdin or b"", versions)
    verb = os.environ.get("CNI_COMMAND")
    if not verb:
        said = "required env variables [CNI_COMMAND] missing"
        return _fail(version, 4, said, "a container runtime sets them; to try by hand, use cnitool")
    if stdin is None:
        said = "standard input cannot be read"
        return _fail(version, 5, said, "pass the network configuration")
    if verb == "VERSION":
        return _tell({"cniVersion": version, "supportedVersions": versions}, 0)
    if verb == "STATUS":
        patience = min(patience, STATUS_PATIENCE)
    try:
        return _forward_later(agent, began, stdin, patience)
    except OSError as error:
        said = (
            f"moorage-agent gives no answer at {agent} within {patience:g} seconds "
            f"({type(error).__name__}), and {direct}, which needs none, cannot be run"
        )
        mend = "see why moorage-agent does not run on this node, or does not listen there"
        details = f"the runtime tries again; if this stays, {mend}"
        return _fail(version, 50 if verb == "STATUS" else 11, said, details)


def _forward_later(agent: str, began: int, stdin: bytes, patience: float) -> int:
    """As _forward, until it succeeds or patience ends, which begins now."""
    end = _end(began)
    # An agent that took the call and was silent for long is not asked again.
    until = min(_after(_boot_clock(), patience), _after(began, ANSWERED_WITHIN), end)
    error: OSError = TimeoutError()
    pause = FIRST_PAUSE
    while _boot_clock() < until:
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
        # Each attempt is later than the one before, so that an agent which takes back what nobody
        # heard of leaves alone what this one is told; and earlier than any other call since.
        began += 1
        try:
            return _forward(agent, began, stdin, end)
        except OSError as caught:
            error = caught
    raise error


def _version_asked_for(stdin: bytes, versions: "tuple[str, ...]") -> str:
    """As versions.answered, for who has the package."""
    import json  # noqa: PLC0415 - costs what the rest does, and is not needed where an agent is

    try:
        # `int` refuses the constants that are not JSON.
        document = json.loads(stdin.decode(), parse_constant=int)
        version = document.get("cniVersion") if isinstance(document, dict) else "none"
    except (ValueError, RecursionError):
        version = "none"
    if version in (None, ""):
        return versions[0]
    return version if version in versions else versions[-1]


def _fail(version: str, code: int, msg: str, details: str) -> int:
    return _tell({"cniVersion": version, "code": code, "msg": msg, "details": details}, 1)


def _tell_fault(error: Exception, version: str) -> int:
    """As incident.document, with nothing that may fail for want of memory."""
    frames, trace = [], error.__traceback__
    while trace:
        frames.append(f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    said = f"internal error of moorage: {type(error).__name__}"
    details = f"please report it with this incident: {' > '.join(frames)}"
    fields = f'"cniVersion": "{version}", "code": 999, "msg": "{said}", "details": "{details}"'
    _print(f"{{{fields}}}\n".encode())
    return 1


def _tell(document: "dict[str, object]", code: int) -> int:
    import json  # noqa: PLC0415 - as above

    return code if _print(json.dumps(document).encode() + b"\n") else 1
