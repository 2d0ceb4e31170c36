"""The command `sbn` as a process: Ctrl-C is noted before anything else is imported, and until the process has ended."""

import contextlib
import gc
import os
import sys

from learned_units import interrupts

# Objects made before Python looks for garbage. With its own 700 a warm start, which makes half a million and drops
# few, spends a seventh of its time on looking.
GARBAGE_THRESHOLD = 100_000


def main() -> int:
    """Run `sbn` with the process's arguments. Returns the exit code, or ends the process with it."""
    interrupts.note()
    gc.set_threshold(GARBAGE_THRESHOLD)
    from vm import cli

    code = cli.main()
    jax = sys.modules.get("jax")
    # Processes that share work end together, which jax sees to at the interpreter's end.
    if jax is not None and not jax.distributed.is_initialized():
        _leave(code)
    return code


def _leave(code: int) -> None:
    """End the process here: everything is written, and taking jax apart would be a tenth of a warm start."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):  # the code says already that it cannot be written
                stream.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
