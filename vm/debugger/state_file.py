"""A machine's state in a file: memory, pc and console, as lines of text with a checksum.

sbn-snapshot 1                  the format's name and version
{"isa": "sbn", "width": 16, …}  a JSON object: the machine, its pc and step, what it has written and not yet read
5 -1 0*120                      the words of the memory, signed decimal; value*count: the same word again and again
sha256 …                        of all bytes above this last line
"""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assembler.image import MAX_MEMORY_WORDS, signed

FORMAT = "sbn-snapshot 1"
WORDS_IN_ROW = 16
_FIELDS: dict[str, type] = {
    "isa": str,
    "width": int,
    "memory": int,
    "input_mode": str,
    "pc": int,
    "step": int,
    "unread": str,
    "input_ended": bool,
    "output": str,
}


class SnapshotError(ValueError):
    """A file that is no snapshot, or is damaged: its name, and what is wrong."""


@dataclass(frozen=True)
class Snapshot:
    """A machine between two steps. Words are unsigned; `unread` is input that was given and not read yet."""

    isa: str
    width: int
    memory: int  # words
    input_mode: str
    pc: int
    step: int
    unread: bytes
    input_ended: bool
    output: bytes
    words: np.ndarray


def save(snapshot: Snapshot, path: str) -> None:
    """Write a snapshot. Raises OSError."""
    fields = {name: value for name, value in asdict(snapshot).items() if name in _FIELDS}
    fields |= {"unread": snapshot.unread.hex(), "output": snapshot.output.hex()}
    parts = []
    for word, run in itertools.groupby(snapshot.words.tolist()):
        count = sum(1 for _ in run)
        parts.append(f"{signed(word, snapshot.width)}{f'*{count}' if count > 1 else ''}")
    rows = (" ".join(parts[k : k + WORDS_IN_ROW]) for k in range(0, len(parts), WORDS_IN_ROW))
    body = "".join(f"{line}\n" for line in (FORMAT, json.dumps(fields), *rows)).encode("ascii")
    Path(path).write_bytes(body + _checksum(body))


def load(path: str) -> Snapshot:
    """Read a snapshot. Raises SnapshotError for anything else, OSError."""
    data = Path(path).read_bytes()
    if data.partition(b"\n")[0] != FORMAT.encode():
        raise SnapshotError(f"{path} is no snapshot: its first line is not `{FORMAT}`")
    end = data.rfind(b"\n", 0, len(data) - 1) + 1
    if data[end:] != _checksum(data[:end]):
        raise SnapshotError(f"{path} is damaged: the checksum does not fit")
    _, head, *rows = data[:end].decode("ascii", "replace").splitlines()
    try:
        fields = json.loads(head)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or {name: type(value) for name, value in fields.items()} != _FIELDS:
        raise SnapshotError(f"{path} is damaged: its second line does not describe a machine")
    try:
        return Snapshot(**_checked(fields), words=_words(" ".join(rows), fields["memory"], fields["width"]))
    except (ValueError, OverflowError) as error:
        raise SnapshotError(f"{path} is damaged: {error}") from None


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    if not 4 <= fields["width"] <= 64 or not 0 < fields["memory"] <= MAX_MEMORY_WORDS:
        raise ValueError("there is no such machine")
    if not 0 <= fields["pc"] < 1 << fields["width"] or fields["step"] < 0:
        raise ValueError("its pc or step is out of range")
    return fields | {"unread": bytes.fromhex(fields["unread"]), "output": bytes.fromhex(fields["output"])}


def _words(text: str, size: int, width: int) -> np.ndarray:
    words = np.zeros(size, np.uint64 if width == 64 else np.int64)
    at = 0
    for part in text.split():
        value, star, times = part.partition("*")
        count = int(times) if star else 1
        if count < 1 or at + count > size or not -(1 << width - 1) <= int(value) < 1 << width - 1:
            raise ValueError("its words are not those of such a memory")
        words[at : at + count] = int(value) & (1 << width) - 1
        at += count
    if at != size:
        raise ValueError(f"it holds {at:,} words, not {size:,}")
    return words


def _checksum(body: bytes) -> bytes:
    return f"sha256 {hashlib.sha256(body).hexdigest()}\n".encode()
