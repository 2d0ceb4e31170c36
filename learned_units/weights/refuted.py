"""Weights that failed a verification: one short text a set of tensors, in the cache, for as long as it stands.

It is kept by the hash of the tensors, so it speaks of weights wherever they lie: in the cache, in the package, in a
file of the user's. Training ends it: new weights are judged before they are kept.
"""

from __future__ import annotations

import time

from learned_units import store, whole_file

MOST_CHARACTERS = 300  # of a record


def what_failed(tensor_hash: str) -> str:
    """When and what, in words, for tensors that have a record. One that cannot be read stands, too."""
    try:
        written = store.refutation_path(tensor_hash).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"whose record cannot be read ({error.strerror or error})"
    return written[:MOST_CHARACTERS].strip()


def record(tensor_hash: str, what: str) -> None:
    """Write down that these tensors failed a verification now. Raises UnwritableError."""
    path = store.refutation_path(tensor_hash)
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole_file.write_whole(path, f"{now}: {what}\n".encode())
    except OSError as error:
        raise store.unwritable(path, error) from None


def forget(tensor_hash: str) -> None:
    """End what was recorded. Raises UnwritableError."""
    path = store.refutation_path(tensor_hash)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise store.unwritable(path, error) from None
