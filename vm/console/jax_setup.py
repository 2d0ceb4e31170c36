"""How the command, not the library, sets jax up: every core a device, compiled loops kept, no noise.

`prepare` comes before anything that imports jax.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import subprocess
import sys
import threading
import time
import warnings
import zlib
from pathlib import Path

from vm.console import terminal
from vm.console.launch import MISUSED, UsageError

MEETING_SECONDS = 60
MOST_ENTRIES = 4_000  # a command that compiles much makes some hundreds, of 6 KB on average
MOST_BYTES = 128 << 20
SLACK_SECONDS = 2.0  # by which the clock of a file system may lag
_SUFFIX = "-cache"
_ZLIB = b"\x78"  # begins what jax compresses, unless the package zstandard is there
_MARKER = ".checked"  # its time is that of the last look

# The least that makes XLA read its flags, and the file of XLA that complains.
_READ_FLAGS = "from jaxlib import _jax; _jax.CompileOptions().executable_build_options.debug_options"
_FLAGS_SOURCE = "parse_flags_from_env.cc"


def prepare() -> None:
    """Import jax, set up. What the user's environment says about these things stands.

    Each core of the processor that this process may use is a device of its own, over which batches, verification and
    training are spread.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if flags and "jax" not in sys.modules:
        _check_flags(flags)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("jax._src").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"jax\b")

    if not _is_utf8(os.environ.get("JAX_COMPILATION_CACHE_DIR", "")):
        raise UsageError("JAX_COMPILATION_CACHE_DIR is the name of a folder that is not UTF-8")
    try:
        import jax
    except ValueError as error:  # of a variable of the environment
        raise UsageError(f"jax cannot be set up as it is asked to: {error}") from None

    from learned_units import interrupts
    from learned_units.store import cache_folder

    interrupts.check()

    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = cache_folder() / "compiled"
        tidy(folder)
        jax.config.update("jax_compilation_cache_dir", str(folder))
    # What the machine computes has infinite margins, and it moves words to the device and back: two of jax's aids for
    # finding errors would take that for one. A third runs each operation by itself: a step would take a second.
    jax.config.update("jax_debug_infs", False)
    jax.config.update("jax_transfer_guard", "allow")
    jax.config.update("jax_disable_jit", False)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    if "xla_force_host_platform_device_count" not in flags:
        with contextlib.suppress(RuntimeError):  # devices that are in use already stay as they are
            jax.config.update("jax_num_cpu_devices", _cores())


def _check_flags(flags: str) -> None:
    """Let a process of its own read XLA_FLAGS: XLA ends the one in which it cannot. Raises UsageError."""
    tried = subprocess.run([sys.executable, "-c", _READ_FLAGS], capture_output=True, check=False)
    told = tried.stderr.decode("utf-8", "replace")
    if tried.returncode and _FLAGS_SOURCE in told:
        reason = told.partition("] ")[2].partition("\n")[0].removesuffix(".")
        raise UsageError(f"XLA cannot read XLA_FLAGS, which is '{flags}': {reason}")


def _is_utf8(name: str) -> bool:
    """Whether the libraries can have this name, as it came from the environment."""
    return os.fsencode(name).decode("utf-8", "replace").encode() == os.fsencode(name)


def tidy(folder: Path) -> None:
    """Remove what is damaged or too much in the folder of compiled loops, to which jax itself only ever adds.

    An entry that a full disk or a kill cut short would stay; those used least recently go once there are too many. This
    is done once in a command, for with a limit of its own jax searches the whole folder at each write. It does nothing
    where nothing was added since the last time, or where it may not.
    """
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


def _cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def join(cluster: str) -> None:
    """Meet the other processes: "HOST:PORT,COUNT,INDEX", or "auto" where jax finds out by itself.

    Only the first of them writes results. Raises UsageError for anything else, and where they do not meet.
    """
    import jax

    # The library that connects the processes prints to file 1; results have to themselves what stdout was.
    sys.stdout.flush()
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    match = re.fullmatch(r"([^,\s]+:\d+),(\d+),(\d+)", cluster)
    if match is None and cluster != "auto":
        raise UsageError(f"--cluster is HOST:PORT,COUNT,INDEX or auto, not '{cluster}'")
    # Where they do not meet jax aborts the process, with a trace of its own; this comes before that.
    waiting = threading.Timer(MEETING_SECONDS, _give_up, [cluster])
    waiting.daemon = True
    try:
        if match is None:
            waiting.start()
            jax.distributed.initialize(initialization_timeout=2 * MEETING_SECONDS)
        else:
            count, index = int(match[2]), int(match[3])
            if not index < count:
                raise UsageError(f"there is no process {index} among {count}; the first one is 0")
            waiting.start()
            jax.distributed.initialize(match[1], count, index, initialization_timeout=2 * MEETING_SECONDS)
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"the processes did not find each other: {str(error).splitlines()[0]}") from None
    finally:
        waiting.cancel()
    if jax.process_index() > 0:
        sys.stdout = open(os.devnull, "w")


def _give_up(cluster: str) -> None:
    terminal.say_error(
        f"sbn: error: the processes of --cluster {cluster} did not find each other within {MEETING_SECONDS} s"
    )
    os._exit(MISUSED)
