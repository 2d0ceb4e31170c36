"""The compiled loop of a machine, kept in the cache folder: the next start neither traces nor lowers it.

jax's own cache keeps what XLA made, and finds it by the lowered loop, which takes most of a start to make again. This
one is found by all that the loop is made from. On any doubt the loop is compiled as if nothing had been kept.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import platform
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import serialize_executable
from jax.experimental.compilation_cache import compilation_cache

from learned_units.store import cache_folder
from learned_units.unit import Spec
from vm.machine import Rows, run_chunk
from vm.state import MachineState

Loop = Callable[[MachineState, Any, Any, Any], tuple[MachineState, Rows]]  # of state, rows, params and budget

_DIGEST = hashlib.sha256
# The default of XLA; stating it keeps jax from handing out a loop that this process has already taken from its cache.
_AFRESH: Any = {"xla_embed_ir_in_executable": False}


def compiled_loop(state: MachineState, rows: Any, params: Any, budget: Any, spec: Spec, input_mode: str) -> Loop:
    """`run_chunk` without stops, compiled for arguments of these shapes and types: from the cache, or now."""
    arguments = (state, rows, params, budget)
    place = cache_folder() / "compiled" / f"sbn-loop-{_key(arguments, spec, input_mode)}-cache"
    with contextlib.suppress(Exception):
        return functools.partial(_load(place), stops=None)
    with _without_jaxs_cache():
        lowered = run_chunk.lower(*arguments, spec=spec, input_mode=input_mode, stops=None)
        compiled = lowered.compile(compiler_options=_AFRESH)
    with contextlib.suppress(Exception):  # what cannot be kept is compiled at each start
        from learned_units.whole_file import write_whole

        data = pickle.dumps(serialize_executable.serialize(compiled))
        copies = jax.tree.map(np.array, (state, rows))  # the loop consumes them
        jax.block_until_ready(_loaded(data)(*copies, params, np.int32(1), stops=None))  # it must run to be kept
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, _DIGEST(data).digest() + data)
    return functools.partial(compiled, stops=None)


@contextlib.contextmanager
def _without_jaxs_cache() -> Iterator[None]:
    """XLA itself makes what is compiled here: what came out of jax's own cache cannot be written a second time."""
    used = bool(jax.config.values["jax_enable_compilation_cache"])
    try:
        jax.config.update("jax_enable_compilation_cache", False)
        compilation_cache.reset_cache()
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", used)
        compilation_cache.reset_cache()


def _load(place: Path) -> Callable[..., tuple[MachineState, Rows]]:
    """The compiled loop in a file. Raises something for any file but a whole one."""
    written = place.read_bytes()
    checksum, data = written[: _DIGEST().digest_size], written[_DIGEST().digest_size :]
    if _DIGEST(data).digest() != checksum:
        raise ValueError("a kept loop was altered")
    loaded = _loaded(data)
    os.utime(place)  # the cache removes what was not used for longest
    return loaded


def _loaded(data: bytes) -> Callable[..., tuple[MachineState, Rows]]:
    """The compiled loop as it was written."""
    device = jax.devices()[0]
    return serialize_executable.deserialize_and_load(*pickle.loads(data), execution_devices=[device])


def _key(arguments: Any, spec: Spec, input_mode: str) -> str:
    """A digest of what the compiled loop is made from: our source, jax, the processor, the settings, the shapes."""
    leaves, structure = jax.tree.flatten(arguments)
    device = jax.devices()[0]
    told = [
        *(f"{leaf.dtype}{leaf.shape}{getattr(leaf, 'weak_type', False)}" for leaf in leaves),
        structure,
        spec,
        input_mode,
        jax.__version__,
        version("jaxlib"),
        device.platform,
        device.device_kind,
        len(jax.devices()),
        _processor(),
        sorted((name, value) for name, value in os.environ.items() if name.startswith(("XLA_", "JAX_"))),
    ]
    return _DIGEST(f"{told} {_source()}".encode()).hexdigest()[:32]


@functools.cache
def _source() -> str:
    """A digest of which code a loop can be traced from: the names, sizes and times of our files, by which Python itself
    tells whether what it kept of a module still holds."""
    digest = _DIGEST()
    for package in ("learned_units", "vm"):
        for folder, _, names in sorted(os.walk(Path(__file__).parent.parent / package)):
            for name in sorted(names):
                if name.endswith(".py"):
                    found = os.stat(place := os.path.join(folder, name))
                    digest.update(f"{place} {found.st_size} {found.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


@functools.cache
def _processor() -> str:
    """What this processor can do, as far as the platform tells: compiled code may use all of it."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        told = {line.partition(":")[0].strip(): line for line in file.read(1 << 14).splitlines()}
        return "".join(told.get(name, "") for name in ("model name", "flags", "Features"))
    return f"{platform.machine()} {platform.processor()}"
