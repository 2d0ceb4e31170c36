"""Weights on disk: one safetensors file with its manifest inside, written whole or not at all.

Claims (margins, what was verified) belong to the tensors, so the manifest holds their hash, and a file whose
tensors, shapes or claims differ from what is asked is refused by a WeightsError that names the field.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

import numpy as np

FORMAT = 1
POLL_SECONDS = 0.2  # between two attempts to take a lock that another process holds

Progress = Callable[[str, float], None]  # (what is being done, the part of it that is done: 0..1)
Wanted = Progress | Literal[False] | None  # None: progress shows itself where someone watches; False: nowhere


class WeightsError(Exception):
    """A weights file is missing, damaged or not what was asked for; or no acceptable weights could be trained."""


class UnwritableError(WeightsError):
    """The cache cannot be written. The message names the file and the way out."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was found to hold of weights when they were made, or proved on this machine."""

    kind: str  # "every input enumerated"
    inputs: int | None = None  # how many a network was run on, over all networks
    cases: int | None = None  # how many pairs of operands
    smallest_margin: float | None = None
    z: float | None = None  # where inputs were sampled (`proof/finite_width.py`)
    largest_error: float | None = None  # of a prediction there, in half gaps
    schedules: int | None = None  # orders of passes whose wiring was checked


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What `sbn verify` found to hold later on."""

    operands: str  # which, in words
    cases: int
    smallest_margin: float | None = None  # None where it is infinite
    word_bits: int | None = None  # of pairs of operands; inputs of networks have none
    isa: str | None = None
    shards: tuple[int, int] = (1, 1)  # done, of how many


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a weights file says of its tensors. Units add fields of their own."""

    unit: str
    seed: int  # the first one tried
    seed_used: int
    design: str  # a fingerprint of what else decides the weights
    tensor_hash: str
    jax: str  # its version where these weights were made or proved, and the platform
    platform: str
    verified: Verified
    shipped: bool = False
    claims: Mapping[str, Claim] = field(default_factory=dict)
    written: Mapping[str, Any] = field(repr=False)  # all of it as in the file, with what is not known here

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """A manifest as it was written. Raises WeightsError naming a field that is missing or of another type."""
        return _read_value(cls, {**written, "written": written}, "")


def _read_value(wanted: Any, value: Any, name: str) -> Any:
    """A value of a manifest as the type that is wanted: numbers are finite, integers not negative."""
    if wanted is Any:
        return value
    if get_origin(wanted) is UnionType:  # X | None
        return None if value is None else _read_value(get_args(wanted)[0], value, name)
    if get_origin(wanted) is Mapping and isinstance(value, Mapping):
        return {key: _read_value(get_args(wanted)[1], each, f"{name}.{key}") for key, each in value.items()}
    if get_origin(wanted) is tuple and isinstance(value, (list, tuple)) and len(value) == len(get_args(wanted)):
        return tuple(_read_value(kind, each, name) for kind, each in zip(get_args(wanted), value, strict=True))
    if is_dataclass(wanted) and isinstance(wanted, type) and isinstance(value, Mapping):
        types, found = get_type_hints(wanted), {}
        for each in fields(wanted):
            full = f"{name}.{each.name}" if name else each.name
            if each.name in value:
                found[each.name] = _read_value(types[each.name], value[each.name], full)
            elif each.default is MISSING and each.default_factory is MISSING:
                raise WeightsError(f"the manifest does not say '{full}'")
        return wanted(**found)
    if wanted in (bool, str) and isinstance(value, wanted):
        return value
    if wanted in (int, float) and isinstance(value, (int, wanted)) and not isinstance(value, bool):
        if math.isfinite(value) and (wanted is float or value >= 0):
            return value
    raise WeightsError(f"the manifest says {str(value)[:80]!r} for '{name}'")


def plain(values: Any) -> dict[str, Any]:
    """A part of a manifest as it is written: without the fields that it leaves open."""
    return {name: value for name, value in asdict(values).items() if value is not None}


def cache_folder() -> Path:
    """Where weights and compiled loops are kept: $SBN_CACHE_DIR, or the platform's folder for caches.

    A `~` at its beginning is the user's home folder. Raises WeightsError where there is none, and for a name that is
    not UTF-8, which the libraries that write there cannot have.
    """
    import platformdirs

    chosen = os.environ.get("SBN_CACHE_DIR") or platformdirs.user_cache_dir("neural-sbn", appauthor=False)
    try:
        folder = Path(chosen).expanduser()
        os.fspath(folder).encode()
    except UnicodeEncodeError:
        raise WeightsError(
            f"the name of the cache folder, {ascii(chosen)}, is not UTF-8; SBN_CACHE_DIR can name another"
        ) from None
    except RuntimeError:
        raise WeightsError(f"the cache folder is {chosen}, but there is no such home folder") from None
    return folder


def check_writable(path: Path) -> None:
    """Find out before the work whether a file can be written after it. Raises UnwritableError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise unwritable(path, error) from None


def refutation_path(tensor_hash: str) -> Path:
    """Where it is written that these tensors failed a verification, if they did (`weights/refuted.py`)."""
    return cache_folder() / "refuted" / f"{tensor_hash}.txt"


def check_shapes(tensors: Mapping[str, np.ndarray], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Raise WeightsError unless these are the tensors wanted: finite float32 of those shapes."""
    if tensors.keys() != wanted.keys():
        raise WeightsError(f"the tensors are {sorted(tensors)}, and {sorted(wanted)} are needed")
    for name, shape in wanted.items():
        tensor = tensors[name]
        if tensor.shape != shape or tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            raise WeightsError(f"the tensor '{name}' is not finite float32 of shape {shape}")


def tensor_hash(tensors: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names, types, shapes and bytes, in order of names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = np.asarray(tensors[name])
        digest.update(f"{name} {tensor.dtype} {tensor.shape} ".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()


def _manifest_hash(manifest: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in manifest.items() if name != "manifest_hash"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def unwritable(path: Path, error: OSError) -> UnwritableError:
    """What to raise where a file of the cache cannot be written."""
    reason = error.strerror or error
    return UnwritableError(f"{path} cannot be written ({reason}); SBN_CACHE_DIR can name another folder for the cache")


def origin() -> dict[str, str]:
    """Where sums of floats come out as they do here: library versions and platform, for the manifest."""
    import jax

    return {
        "jax": jax.__version__,
        "jaxlib": version("jaxlib"),
        "numpy": np.__version__,
        "optax": version("optax"),
        "platform": f"{platform.system()} {platform.machine()}, {jax.default_backend()}",
    }


def seal(tensors: Mapping[str, np.ndarray], manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with format version and hashes, as it is written beside these tensors."""
    whole = {"format": FORMAT, **manifest, "tensor_hash": tensor_hash(tensors)}
    whole["manifest_hash"] = _manifest_hash(whole)
    return whole


def save(path: Path, tensors: Mapping[str, np.ndarray], manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Write tensors and manifest to `path`, which holds the old file or the new one at every moment.

    Returns the manifest as written: with format version and hashes. Raises UnwritableError if it cannot be written.
    """
    from safetensors.numpy import save as serialise

    from learned_units.whole_file import write_whole

    whole = seal(tensors, manifest)
    # safetensors writes the buffer as it lies in memory, so a transposed view would come back scrambled.
    contiguous = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    data = serialise(contiguous, metadata={"manifest": json.dumps(whole, sort_keys=True)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except OSError as error:
        raise unwritable(path, error) from None
    return whole


def load(path: Path, expected: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read tensors and manifest; every field of `expected` must be in the manifest with that value.

    Raises WeightsError, with the file's name and the field, for anything else than a whole file that fits.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            manifest = json.loads((file.metadata() or {})["manifest"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except FileNotFoundError:
        raise WeightsError(f"no weights file {path}") from None
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise WeightsError(f"{path}: damaged, or not a weights file ({error})") from None
    if not isinstance(manifest, dict):
        raise WeightsError(f"{path}: the manifest is not an object")
    for name, value in {"format": FORMAT, **expected}.items():
        if manifest.get(name) != value:
            raise WeightsError(f"{path}: {name} is {manifest.get(name)!r}, but {value!r} is needed")
    if manifest.get("tensor_hash") != tensor_hash(tensors):
        raise WeightsError(f"{path}: the tensors do not have the manifest's tensor_hash: they were altered")
    if manifest.get("manifest_hash") != _manifest_hash(manifest):
        raise WeightsError(f"{path}: the manifest does not have its manifest_hash: it was altered")
    return tensors, manifest


def read_any(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any] | None]:
    """The tensors of a safetensors file, whoever made it, and our manifest if it has one.

    Raises WeightsError for a file that is damaged, or whose manifest is not that of its tensors.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            if "manifest" not in (file.metadata() or {}):
                return {name: file.get_tensor(name) for name in file.keys()}, None
    except FileNotFoundError:
        raise WeightsError(f"no weights file {path}") from None
    except (SafetensorError, OSError, ValueError, TypeError, RecursionError) as error:
        raise WeightsError(f"{path}: damaged, or not a weights file ({error})") from None
    return load(path, {})


@contextlib.contextmanager
def lock(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold `path`.lock while weights are made; calls `waiting()` now and then while another process holds it.

    It is a lock of the operating system, so it ends with the process that holds it. The files themselves are safe
    without it: it only keeps two processes from training the same. Raises UnwritableError if it cannot be created.
    """
    from filelock import FileLock, Timeout

    name = path.with_name(path.name + ".lock")
    held = FileLock(name)
    while not held.is_locked:
        try:
            held.acquire(blocking=False)
        except Timeout:
            waiting()
            time.sleep(POLL_SECONDS)
        except OSError as error:
            raise unwritable(name, error) from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            name.unlink()  # while it is held: whoever opened it meanwhile finds it gone, and makes a new one
        held.release()
