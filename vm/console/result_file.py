"""Files that figures are written to: whether they can be is asked before a long measurement, not after it."""

from __future__ import annotations

from pathlib import Path

from vm.console.usage import UsageError


def check(path: str) -> None:
    """Refuse, before anything is measured, what could not be written afterwards. Raises UsageError."""
    if not Path(path).parent.is_dir():
        raise UsageError(f"{path}: there is no folder {Path(path).parent}")
    if Path(path).is_dir():
        raise UsageError(f"{path} is a folder; name a file")


def write(path: str, data: bytes) -> None:
    """Write the file whole or not at all. Raises OSError."""
    from learned_units.store import write_whole

    write_whole(Path(path), data)
