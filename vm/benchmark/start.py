"""How long a start takes, part by part: `sbn run hello` in processes of its own, with an empty cache and a full one."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from learned_units import interrupts
from learned_units.store import Progress

COMMAND = ("-m", "vm")  # as `sbn`, which also leaves as it does
ARGUMENTS = ("run", "hello", "--json")
LOOK_SECONDS = 0.1  # how soon Ctrl-C is seen
REST = "interpreter and exit"  # what the command cannot time itself


class Start(NamedTuple):
    """Seconds of one kind of start: of all, and of each part; medians where it was repeated."""

    kind: str
    total: float
    parts: dict[str, float]


def measure(rounds: int, progress: Progress) -> list[Start]:
    """A cold start, in which weights are trained and loops compiled, and the median of warm ones.

    Raises RuntimeError if the command fails.
    """
    with tempfile.TemporaryDirectory() as cache:
        progress("starting cold: training the weights", 0.0)
        cold = _run(cache)
        warm = []
        for turn in range(rounds):
            progress("starting warm", turn / rounds)
            warm.append(_run(cache))
    middle = {part: statistics.median(each.parts[part] for each in warm) for part in cold.parts}
    return [cold._replace(kind="cold"), Start("warm", statistics.median(each.total for each in warm), middle)]


def _run(cache: str) -> Start:
    environment = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *COMMAND, *ARGUMENTS],
        env=environment | {"SBN_CACHE_DIR": cache},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        told_on_stderr = _until_it_ends(process)
    total = time.perf_counter() - began
    if process.returncode != 0:
        interrupts.check()  # it may have ended it, too
        raise RuntimeError(f"sbn {' '.join(ARGUMENTS)} failed: {told_on_stderr}")
    told = json.loads(told_on_stderr.splitlines()[-1])
    parts = told["start_seconds"] | {"loop": told["compile_seconds"], "running": told["run_seconds"]}
    return Start("", total, parts | {REST: total - sum(parts.values())})


def _until_it_ends(process: subprocess.Popen[str]) -> str:
    """What a process writes to its standard error. Ctrl-C ends it: raises KeyboardInterrupt."""
    while True:
        try:
            return process.communicate(timeout=LOOK_SECONDS)[1]
        except subprocess.TimeoutExpired:
            if interrupts.pressed():
                process.kill()
                process.communicate()
                raise KeyboardInterrupt from None
