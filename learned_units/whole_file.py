"""Files that are written whole or not at all: at every moment there is the old file or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # where there are no such locks, what a killed process left stays
    fcntl = None

_SUFFIX = ".sbn.part"
_UNFINISHED = re.compile(r"\..*\.[0-9a-f]{8}\.sbn\.part", re.DOTALL)
_NAME_BYTES = 64  # of the file's name in that of the unfinished one, which may not be longer than a name can be


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file whole or not at all. Raises OSError, with the file's name."""
    with writing(path) as file, naming(path):
        file.write(data)


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write to, which takes its name when the block ends well, and leaves nothing if it does not.

    A new file has the permissions that the user's umask leaves, an old one keeps its own. What is no ordinary file (a
    device, a pipe) is written to directly. What killed processes left unfinished in the folder is removed. Raises
    OSError, with the file's name, for what cannot be opened or finished; `naming` names it in an error of a write.
    """
    with naming(path):
        place = Path(os.path.realpath(path))  # through a link to the file it stands for
        old = place.stat() if place.exists() else None
        if old is not None and not stat.S_ISREG(old.st_mode):
            unfinished, file = None, open(place, "wb")
        else:
            if old is not None and not os.access(place, os.W_OK):
                raise PermissionError(errno.EACCES, "")
            _remove_unfinished(place.parent)
            unfinished, file = _create(place)
    try:
        yield file
        with naming(path):
            file.flush()
            if unfinished is not None:
                if old is not None:
                    os.chmod(unfinished, stat.S_IMODE(old.st_mode))
                os.fsync(file.fileno())
                if fcntl is None:  # Windows, which renames no open file; elsewhere the lock is held until then
                    file.close()
                os.replace(unfinished, place)
    except BaseException:
        with contextlib.suppress(OSError):
            file.close()
        if unfinished is not None:
            with contextlib.suppress(OSError):
                os.unlink(unfinished)
        raise
    finally:
        with contextlib.suppress(OSError):
            file.close()


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Give errors of the operating system the name of this file: those of a write have none."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), os.fspath(path)) from error


def _create(place: Path) -> tuple[Path, BinaryIO]:
    """A new file beside `place`, locked for as long as it is open: so others can tell that it is being written."""
    while True:
        name = os.fsdecode(os.fsencode(place.name)[:_NAME_BYTES])
        unfinished = place.with_name(f".{name}.{secrets.token_hex(4)}{_SUFFIX}")
        file = open(unfinished, "xb")
        if fcntl is None:
            return unfinished, file
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:  # nobody took it for a leftover before it was locked
            return unfinished, file
        file.close()


def _remove_unfinished(folder: Path) -> None:
    """Remove the unfinished files of processes that have ended: those that nobody holds a lock on."""
    if fcntl is None:
        return
    for name in os.listdir(folder):
        if _UNFINISHED.fullmatch(name):
            with contextlib.suppress(OSError), open(folder / name, "rb+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(folder / name)
