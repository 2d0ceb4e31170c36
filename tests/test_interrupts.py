"""Ctrl-C at any moment of any command: none is lost, none shows a traceback, a second one ends the process at once.

As a script it presses Ctrl-C in many more starts and prints what it saw: python tests/test_interrupts.py --starts 200
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from learned_units import interrupts

ENDLESS = """
        sbn char, -1
loop:   sbn one, zero
        sbn zero, zero
        sbn one, zero, loop
one:    .word 1
zero:   .word 0
char:   .word 'x'
"""
WHOLE = """
        .memory 16
loop:   sbn one, zero
        sbn zero, zero
        sbn one, zero, loop
one:    .word 1
zero:   .word 0
"""
READER = """
loop:   sbn -1, x
        sbn zero, minus1, loop
x:      .word 0
zero:   .word 0
minus1: .word -1
"""
# The process tells when it has begun: what is pressed before that meets Python itself.
BEGUN = """
import os, sys
from vm import __main__
__main__.interrupts.note()
os.write({there}, b".")
sys.exit(__main__.main())
"""
PATIENCE = 120.0  # seconds after which a Ctrl-C counts as lost


class Kind(NamedTuple):
    """A command that is interrupted: its arguments, what it reads, and seconds it goes on for at least."""

    arguments: tuple[str, ...]
    script: bytes | None = None  # None: standard input stays open and silent
    seconds: float = 6.0


def kinds(folder: Path) -> dict[str, Kind]:
    """Commands that go on for longer than they are let."""
    endless, reader, lines = folder / "endless.sbn", folder / "reader.sbn", folder / "lines"
    endless.write_text(ENDLESS)
    reader.write_text(READER)
    (folder / "whole.sbn").write_text(WHOLE)
    long = "0x" + "f" * 750
    lines.write_text("a\n" * 40)
    return {
        "run": Kind(("run", str(endless))),
        "run, waiting for input": Kind(("run", str(reader), "--unit", "ntk-limit")),
        "debug": Kind(("debug", str(endless)), b"continue\n" * 1000),
        "debug, waiting for commands": Kind(("debug", str(endless), "--unit", "native")),
        "repl": Kind(("repl", "--unit", "native")),
        "batch": Kind(("run", str(endless), "--batch", str(lines))),
        "whole": Kind(("run", str(folder / "whole.sbn"), "--whole", "--unit", "ntk-limit")),
        "train": Kind(("train", "ntk", "--force"), seconds=8.0),
        "compute": Kind(("compute", "multiply", long, long, "--unit", "neural-gpu", "--bits", "3000")),
        "modular": Kind(
            (
                "modular",
                "a^2 b + 3 b c + 5 mod 113",
            ),
            seconds=2.0,
        ),
        "verify": Kind(("verify", "--unit", "ntk-limit", "--cases", "100000000", "--restart")),
        "bench": Kind(("bench", "--repeat", "5")),
        "demo": Kind(("demo",), seconds=4.0),
        "reproduce": Kind(("reproduce", "widths")),
    }


class Ending(NamedTuple):
    """How a process ended that Ctrl-C was pressed in."""

    said: str  # "interrupted", "finished before", "lost", "wrong exit code", "traceback"
    seconds: float  # from the press to the end
    stderr: str


def press(kind: Kind, after: float) -> Ending:
    """Start a command, press Ctrl-C `after` seconds from its first line on, and see."""
    here, there = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", BEGUN.format(there=there), *kind.arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=[there],
    )
    os.close(there)
    os.read(here, 1)
    os.close(here)
    assert process.stdin is not None and process.stderr is not None
    told: list[bytes] = []
    listener = threading.Thread(target=lambda: told.append(process.stderr.read() if process.stderr else b""))
    listener.start()
    try:
        if kind.script is not None:
            process.stdin.write(kind.script)
            process.stdin.close()
    except BrokenPipeError:
        pass
    time.sleep(after)
    over = process.poll() is not None
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        process.wait(PATIENCE)
        said = "interrupted" if process.returncode == 130 else "wrong exit code"
        if over or process.returncode == 0:
            said = "finished before"
    except subprocess.TimeoutExpired:
        process.kill()
        said = "lost"
    seconds = time.monotonic() - began
    listener.join()
    if process.stdin:
        process.stdin.close()
    process.stderr.close()
    process.wait()
    stderr = b"".join(told).decode()
    if "Traceback" in stderr or "internal error" in stderr or "Exception ignored" in stderr:
        said = "traceback"
    return Ending(said, seconds, stderr)


GOOD = ("interrupted", "finished before")


def measure(folder: Path, starts: int, seed: int) -> Iterator[tuple[str, float, Ending]]:
    """Press Ctrl-C at random moments of that many starts, of each command in turn: command, moment, ending."""
    known, rng = kinds(folder), random.Random(seed)
    names = list(known)
    for turn in range(starts):
        name = names[turn % len(names)]
        after = rng.uniform(0.0, known[name].seconds)
        yield name, after, press(known[name], after)


QUICK = ("run", "debug")


@pytest.mark.parametrize("name", QUICK)
def test_ctrl_c_in_the_first_seconds_is_neither_lost_nor_a_traceback(name, tmp_path):
    ending = press(kinds(tmp_path)[name], random.Random(name).uniform(0.0, 1.5))
    assert ending.said == "interrupted", ending


@pytest.mark.slow
def test_ctrl_c_at_two_hundred_moments_of_every_command(tmp_path):
    wrong = [(name, ending) for name, _, ending in measure(tmp_path, 200, seed=0) if ending.said not in GOOD]
    assert not wrong


def test_a_second_ctrl_c_ends_the_process_at_once_and_two_in_a_blink_are_one():
    sleeper = "from learned_units import interrupts; import time; interrupts.note(); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", sleeper], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(interrupts.SAME_SECONDS + 0.3)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=10)
    assert (process.returncode, told) == (130, b"\nsbn: interrupted\n")


def test_ctrl_c_is_noted_where_it_is_asked_for_and_then_left_to_python_again():
    before = signal.getsignal(signal.SIGINT)
    with interrupts.noted():
        signal.raise_signal(signal.SIGINT)
        assert interrupts.pressed()
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        interrupts.answer()
        time.sleep(0.05)  # the thread that has counted it, too, is heard
        interrupts.check()
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_press_that_was_not_answered_is_forgotten_where_ctrl_c_is_no_longer_noted():
    for _ in range(20):
        with interrupts.noted():
            signal.raise_signal(signal.SIGINT)
        assert not [each for each in threading.enumerate() if each.name == "interrupts"]
        assert not interrupts.pressed()
        interrupts.check()
        with interrupts.noted():
            assert not interrupts.pressed()


def test_a_process_started_to_ignore_ctrl_c_goes_on_ignoring_it():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.noted():
            signal.raise_signal(signal.SIGINT)
            assert not interrupts.are_noted() and not interrupts.pressed()
    finally:
        signal.signal(signal.SIGINT, before)


def tell(starts: int, seed: int) -> int:
    """Measure, and print how the starts of each command ended and the longest wait. Exit code 0 if none went wrong."""
    # A shell that starts this in the background ignores Ctrl-C for it, and for all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for name, after, ending in measure(Path(folder), starts, seed):
            found.append((name, ending))
            if ending.said not in GOOD:
                sys.stdout.write(f"{name}, Ctrl-C after {after:.3f} s: {ending.said}: {ending.stderr}\n")
    for name in dict.fromkeys(name for name, _ in found):
        endings = [ending for each, ending in found if each == name]
        counts = ", ".join(f"{count} {said}" for said, count in Counter(each.said for each in endings).items())
        sys.stdout.write(f"{name}: {counts}; longest wait {max(each.seconds for each in endings):.1f} s\n")
    return int(any(ending.said not in GOOD for _, ending in found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--starts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    sys.exit(tell(**vars(parser.parse_args())))
