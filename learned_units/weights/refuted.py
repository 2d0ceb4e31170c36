"""Weights that failed a verification: one short text a set of tensors, in the cache, for as long as it stands.

It is kept by the hash of the tensors, so it speaks of weights wherever they lie: in the cache, in the package, in a
file of the user's. Training ends it: what is made is judged anew before it is kept.
"""

from __future__ import annotations

import time
from pathlib import Path

from learned_units import store, whole_file

MOST_CHARACTERS = 300  # of a record


def path_of(tensor_hash: str) -> Path:
    """Where the record of these tensors is, if there is one."""
    return store.cache_folder() / "refuted" / f"{tensor_hash}.txt"


def what_failed(tensor_hash: str) -> str | None:
    """When and what, in words; None for tensors that failed nothing. A record that cannot be read stands, too."""
    try:
        return path_of(tensor_hash).read_text(encoding="utf-8", errors="replace")[:MOST_CHARACTERS].strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"whose record cannot be read ({error})"


def record(tensor_hash: str, what: str) -> None:
    """Write down that these tensors failed a verification now. Raises UnwritableError."""
    path = path_of(tensor_hash)
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole_file.write_whole(path, f"{now}: {what}\n".encode())
    except OSError as error:
        raise store.unwritable(path, error) from None


def forget(tensor_hash: str) -> None:
    """End what was recorded. Raises UnwritableError."""
    path = path_of(tensor_hash)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise store.unwritable(path, error) from None
