"""Files a command is asked to write: what could not be written, or would destroy another file of it, is refused first.

It is asked before anything is written and before a long run or measurement, not after it.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vm.console.launch import UsageError

if TYPE_CHECKING:
    from assembler import Image

STDOUT = "-"


def check(outputs: Mapping[str, str | None], inputs: Mapping[str, str | None], image: Image | None = None) -> None:
    """Refuse outputs that name an input, the sources of an image, or each other, or that cannot be written.

    outputs: paths by option, None for those not asked for. inputs: paths by what they are, in words. Raises UsageError.
    """
    taken = {_identity(path): what for what, path in inputs.items() if path is not None and os.path.exists(path)}
    for file in _sources(image):
        taken.setdefault(_identity(file), "a source of the program")
    taken |= _streams()
    for option, path in outputs.items():
        if path is None or path == STDOUT:
            continue
        _check_writable(f"{option} {path}", path)
        if os.path.exists(path) and not os.path.isfile(path):
            continue  # a device or a pipe, which writing does not destroy
        known = _identity(path)
        if known in taken:
            raise UsageError(f"{option} {path}: that is {taken[known]}; name another file")
        taken[known] = f"the file of {option}, too"


def same_file(one: str | None, other: str | None) -> bool:
    """Whether two paths, if there are two, are those of one file."""
    return one is not None and other is not None and _identity(one) == _identity(other)


def _identity(path: str) -> Hashable:
    """What tells a file from others, whatever path it is reached by."""
    try:
        found = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


def _sources(image: Image | None) -> set[str]:
    """The files an image says it was made from, as far as they are here."""
    if image is None or image.source_map is None:
        return set()
    origins = [each for run in image.source_map.runs for each in (run.origin, *run.origin.calls)]
    return {file for file in {origin.file for origin in origins} if os.path.isfile(file)}


def _streams() -> dict[Hashable, str]:
    """Files that the shell connected with this process."""
    found: dict[Hashable, str] = {}
    streams = {"standard input": sys.stdin, "standard output": sys.stdout, "standard error": sys.stderr}
    for what, stream in streams.items():
        try:
            status = os.fstat(stream.fileno())
        except (OSError, ValueError, AttributeError):
            continue
        if stat.S_ISREG(status.st_mode):
            found[status.st_dev, status.st_ino] = what
    return found


def _check_writable(named: str, path: str) -> None:
    place = Path(os.path.realpath(path))
    if place.is_dir():
        raise UsageError(f"{named} is a folder; name a file")
    if not place.parent.is_dir():
        raise UsageError(f"{named}: there is no folder {Path(path).parent}")
    if not os.access(place if place.exists() else place.parent, os.W_OK):
        raise UsageError(f"{named} cannot be written: permission denied")
