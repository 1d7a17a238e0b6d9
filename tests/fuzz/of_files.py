"""What a node reads back: journals, positions, mirrors, kubeconfigs, and calls on a socket."""

import atexit
import pathlib
import shutil
import socket
import tempfile

from fuzz.target import Target
from moorage import kept, positions
from moorage.agent import journal, wire
from moorage.cni import errors, kubeconfig, settings
from moorage.v1 import resources_pb2

# In memory, where there is such a folder: a disk would be the slowest part of it.
_MEMORY = pathlib.Path("/dev/shm")
_FOLDER = pathlib.Path(tempfile.mkdtemp(dir=_MEMORY if _MEMORY.is_dir() else None))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)


def _file(name: str, data: bytes) -> pathlib.Path:
    path = _FOLDER / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def _journal(data: bytes) -> None:
    """A release that is read is written as it was; whatever else there is, is set aside."""
    folder = _file("journal/release.json", data).parent
    found = journal.Journal(folder)
    for each in found.oldest_first():
        assert resources_pb2.AttemptStamp(boot_id=each.boot_id, boot_time_ns=each.boot_time_ns)
        found.remove(each)
    assert not list(folder.glob("*.json"))


def _positions(data: bytes) -> None:
    server = "127.0.0.1:7711"
    _file(f"seen/{f'{server} vrfs/default'.encode().hex()}", data)
    position = positions.Kept(str(_FOLDER / "seen"), server).of("vrfs/default")
    assert position is None or position.SerializeToString()


def _mirrors(data: bytes) -> None:
    mirror = kept.load(_file("mirror", data))
    assert mirror.cursor is not None
    kept.save(mirror, _FOLDER / "mirror.again")


def _kubeconfigs(data: bytes) -> None:
    path = _file("kube/config", data)
    found = kubeconfig.access(settings.Cluster(kubeconfig=str(path)))
    assert found.host
    assert 0 < found.port < 1 << 16


def _wire(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        call = wire.receive(ours)
    assert all(isinstance(value, str) for value in call.environment.values())


TARGETS = (
    Target(name="journal", feed=_journal, declared=(), longest=4096, seconds=0.01),
    Target(name="positions", feed=_positions, declared=(), longest=512, seconds=0.01),
    Target(name="mirrors", feed=_mirrors, declared=(kept.Unreadable,), longest=4096, seconds=0.01),
    Target(
        name="kubeconfigs",
        feed=_kubeconfigs,
        declared=(errors.CniError,),
        longest=4096,
        seconds=0.1,
    ),
    Target(name="wire", feed=_wire, declared=(wire.Malformed,), longest=4096, seconds=0.01),
)
