"""The folder in which jax keeps compiled loops: looked after once in a command, since jax itself only ever adds to it.

Jax writes an entry once and never again, even where a full disk or a kill cut it short: such entries are removed, and
so are those used least recently once there are too many. Jax has a limit of its own, but with it searches the whole
folder at each write.
"""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from pathlib import Path

MOST_ENTRIES = 4_000  # a command that compiles much makes some hundreds, of 6 KB on average
MOST_BYTES = 128 << 20
SLACK_SECONDS = 2.0  # by which the clock of a file system may lag
_SUFFIX = "-cache"
_ZLIB = b"\x78"  # begins what jax compresses, unless the package zstandard is there
_MARKER = ".checked"  # its time is that of the last look


def tidy(folder: Path) -> None:
    """Remove what is damaged or too much. Does nothing where nothing was added since the last time, or it may not."""
    marker, began = folder / _MARKER, time.time()
    try:
        last = marker.stat().st_mtime if marker.exists() else 0.0
        if folder.stat().st_mtime < last or not os.access(folder, os.W_OK):
            return
        entries = [(entry, entry.stat()) for entry in os.scandir(folder) if entry.name.endswith(_SUFFIX)]
    except OSError:  # it is not there yet, or another command removes entries from it now
        return
    room = MOST_BYTES
    entries.sort(key=lambda each: max(each[1].st_atime, each[1].st_mtime), reverse=True)
    for place, (entry, found) in enumerate(entries):
        room -= found.st_size
        with contextlib.suppress(OSError):
            if place >= MOST_ENTRIES or room < 0 or (found.st_mtime >= last and _is_cut(Path(entry))):
                os.unlink(entry)
    with contextlib.suppress(OSError):
        marker.touch()
        os.utime(marker, (began, began - SLACK_SECONDS))


def _is_cut(entry: Path) -> bool:
    """Whether an entry ends too soon, as far as can be told: it is empty, or its compression has no end."""
    data = entry.read_bytes()
    if not data.startswith(_ZLIB):
        return not data
    try:
        zlib.decompress(data)
    except zlib.error:
        return True
    return False
