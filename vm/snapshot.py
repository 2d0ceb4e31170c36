"""Snapshots: a machine between two steps, in a file from which it goes on bit for bit.

A snapshot is a safetensors file. Its tensors are the memory (uint32 [words, limbs]) and the input that was received and
not yet read; its metadata says which image, unit and place it belongs to, with a checksum over everything. It is
written to a temporary name, synced and renamed: a reader finds the old file or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from assembler import Image
from assembler.image import INPUT_MODES, ISAS
from learned_units import bits, store
from learned_units.whole_file import write_whole

FORMAT = 1
WHOLE = "whole "  # begins the unit's name where it is a whole machine


class SnapshotError(ValueError):
    """A snapshot cannot be read, or does not fit the machine: the file or field, and why."""


@dataclass(frozen=True)
class Place:
    """What a snapshot says beside its memory and input."""

    image: str  # image_digest
    unit: str
    word_bits: int
    isa: str
    input_mode: str
    pc: int
    steps: int  # since boot
    bytes_read: int
    bytes_written: int
    input_ended: bool  # whether the end of input follows the unread bytes


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A machine between two steps."""

    place: Place
    memory: np.ndarray  # uint32 [words, limbs]
    unread: bytes


def image_digest(image: Image) -> str:
    """SHA-256 over what makes an image this program; memory size and input mode are checked on their own."""
    digest = hashlib.sha256(f"{image.word_bits} {image.isa} {image.entry}".encode())
    digest.update(np.array(image.words, np.uint64).tobytes())
    return digest.hexdigest()


def save(path: str | os.PathLike[str], snapshot: Snapshot) -> None:
    """Write a snapshot; `path` holds the old file or the new one at every moment. Raises OSError."""
    from safetensors.numpy import save as serialise

    tensors = _tensors(snapshot)
    place = asdict(snapshot.place)
    metadata = {"format": str(FORMAT), "place": json.dumps(place), "checksum": _checksum(place, tensors)}
    write_whole(path, serialise(tensors, metadata=metadata))


def load(path: str | os.PathLike[str]) -> Snapshot:
    """Read a snapshot. Raises OSError for a file that is not there, SnapshotError for one that is not whole."""
    from safetensors import SafetensorError, safe_open

    with open(path, "rb"):
        pass  # the library's own error for a missing file is no OSError
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in ("memory", "unread")}
        if metadata["format"] != str(FORMAT):
            raise SnapshotError(f"{path}: format {metadata['format']}, but {FORMAT} is needed")
        place: dict[str, Any] = json.loads(metadata["place"])
        if metadata["checksum"] != _checksum(place, tensors):
            raise SnapshotError(f"{path}: the checksum does not match: the file was altered")
        return _checked(Place(**place), tensors["memory"], tensors["unread"])
    except SnapshotError:
        raise
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise SnapshotError(f"{path}: damaged, or not a snapshot ({error})") from None


def _checked(place: Place, memory: np.ndarray, unread: np.ndarray) -> Snapshot:
    """A snapshot of what was read. Raises ValueError for what no machine can be, though its checksum may be right."""
    for field in fields(Place):
        value = getattr(place, field.name)
        if type(value).__name__ != field.type:
            raise ValueError(f"{field.name} is {str(value)[:40]!r}")
    if not bits.MIN_WORD_BITS <= place.word_bits <= bits.MAX_WORD_BITS:
        raise ValueError(f"word_bits is {place.word_bits}")
    if place.isa not in ISAS or place.input_mode not in INPUT_MODES:
        raise ValueError(f"isa is {place.isa[:40]!r}, input_mode {place.input_mode[:40]!r}")
    if not 0 <= place.pc < 1 << place.word_bits:
        raise ValueError(f"pc is {place.pc}")
    if min(place.steps, place.bytes_read, place.bytes_written) < 0:
        raise ValueError("a count is negative")
    if memory.dtype != np.uint32 or memory.ndim != 2 or memory.shape[1] != bits.limb_count(place.word_bits):
        raise ValueError(f"the memory is {memory.dtype} {memory.shape}")
    if unread.dtype != np.uint8 or unread.ndim != 1:
        raise ValueError(f"the unread input is {unread.dtype} {unread.shape}")
    if place.word_bits % 32 and (memory[:, -1] >> (place.word_bits % 32)).any():
        raise ValueError(f"the memory has words of more than {place.word_bits} bits")
    return Snapshot(place, memory, unread.tobytes())


def check_fits(snapshot: Snapshot, image: Image, unit: str, size: int, input_mode: str) -> None:
    """Whether a machine of this image, unit, memory and input mode can go on from it. Raises SnapshotError."""
    place = snapshot.place
    if place.image != image_digest(image):
        raise SnapshotError("the snapshot belongs to another program; resume it with the program it was saved from")
    if (place.word_bits, place.isa) != (image.word_bits, image.isa):
        said = f"the snapshot is of a {place.word_bits}-bit {place.isa} machine, and the program is for another"
        raise SnapshotError(said)
    if place.unit != unit:
        raise SnapshotError(f"the snapshot was made on the unit '{place.unit}', not on '{unit}'")
    if len(snapshot.memory) != size:
        raise SnapshotError(
            f"the snapshot has a memory of {len(snapshot.memory):,} words, but the machine has {size:,}"
        )
    if place.input_mode != input_mode:
        raise SnapshotError(f"the snapshot's input mode is '{place.input_mode}', but the machine's is '{input_mode}'")


def _tensors(snapshot: Snapshot) -> dict[str, np.ndarray]:
    return {
        "memory": np.ascontiguousarray(snapshot.memory),
        "unread": np.frombuffer(snapshot.unread, np.uint8),
    }


def _checksum(place: dict[str, Any], tensors: dict[str, np.ndarray]) -> str:
    return hashlib.sha256(f"{json.dumps(place)} {store.tensor_hash(tensors)}".encode()).hexdigest()
