"""The command as a process: exit codes, streams, signals, and what a start costs."""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import IO

import pytest
from marks import slow

from vm.cli import made_parser

ENDLESS = """
        sbn char, -1
loop:   sbn one, zero
        sbn zero, zero
        sbn one, zero, loop
one:    .word 1
zero:   .word 0
char:   .word 'x'
"""
HEAVY = ("jax", "numpy", "lark", "prompt_toolkit", "rich", "filelock")


COMMAND = (sys.executable, "-m", "vm")


def start(
    *arguments: str,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*COMMAND, *arguments], stdin=stdin, stdout=stdout, stderr=stderr, env=env)


def sbn(*arguments: str, input: bytes = b"") -> tuple[int, bytes, str]:
    """Exit code, stdout and stderr of a whole run."""
    process = start(*arguments, stdin=subprocess.PIPE)
    out, err = process.communicate(input, timeout=120)
    return process.returncode, out, err.decode()


def loaded_modules(*arguments: str) -> set[str]:
    """Which of the heavy modules a command has imported when it ends."""
    code = f"""
import sys
from vm.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.fixture
def endless(tmp_path):
    path = tmp_path / "endless.sbn"
    path.write_text(ENDLESS)
    return str(path)


@pytest.mark.parametrize(
    "arguments", [(), ("--help",), ("run", "--help"), ("run",), ("programs",), ("programs", "hello")], ids=" ".join
)
def test_help_and_the_programs_load_nothing_heavy(arguments):
    assert not loaded_modules(*arguments)


def test_each_command_is_described_and_no_argument_that_must_be_given_has_a_default():
    waiting, seen = [made_parser()], 0
    while waiting:
        parser = waiting.pop()
        seen += 1
        assert (parser.description or "").endswith("."), parser.prog
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                waiting += action.choices.values()
            elif action.required and not action.option_strings:
                assert "(default)" not in (action.help or ""), parser.prog
    assert seen > 20


@pytest.mark.parametrize(
    "arguments",
    [("asm", "hello", "-o", "-"), ("dis", "hello"), ("list", "hello"), ("run", "nowhere.sbn")],
    ids=" ".join,
)
def test_text_commands_and_refusals_never_load_jax(arguments):
    assert not loaded_modules(*arguments) & {"jax", "rich", "filelock"}


def test_a_program_is_piped_through_and_the_summary_is_the_last_line_on_stderr():
    code, out, err = sbn("run", "adder", "--unit", "native", input=b"17 25\n")
    assert (code, out) == (0, b"42\n")
    assert err.startswith("halted: ") and err.count("\n") == 1


def test_a_program_comes_from_stdin_and_then_has_no_input():
    code, out, _ = sbn(
        "run", "-", "--unit", "native", input=b"loop: sbn -1, x\n sbn x, -1\n sbn z, x, -1\nx: .word 0\nz: .word 0\n"
    )
    assert (code, out) == (0, b"\xff")


def test_input_is_read_as_the_program_asks_for_it():
    process = start("run", "cat", "--unit", "native", stdin=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    for block in (b"first\n", b"second\n"):
        process.stdin.write(block)
        process.stdin.flush()
        assert process.stdout.read(len(block)) == block  # before there is any more input, or its end
    process.stdin.close()
    process.stdin = None
    assert process.communicate(timeout=60)[0] == b""
    assert process.returncode == 0


def test_ctrl_c_hands_over_the_output_and_exits_130(endless):
    process = start("run", endless, "--unit", "native")
    assert process.stdout is not None and process.stdout.read(1) == b"x"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.match(r"stopped: interrupted at pc \d+ \(.*:\d+\); with --save-state FILE, Ctrl-C keeps", err.decode())
    assert err.count(b"\n") == 1


@pytest.mark.parametrize(("given", "shown"), [("x", b"x\r\nhalted: "), ("x\n", b"x\r\nhalted: ")])
def test_on_a_terminal_the_account_begins_on_a_line_of_its_own(given, shown, monkeypatch):
    import pty

    monkeypatch.setenv("TERM", "dumb")  # on which no meter is drawn, however slow the start is
    here, there = pty.openpty()
    process = start("run", "cat", "--unit", "native", "--input-text", given, stdout=there, stderr=there)
    os.close(there)
    told = b""
    while not told.endswith(b" s\r\n"):
        told += os.read(here, 1024)
    process.wait(timeout=60)
    os.close(here)
    assert told.startswith(shown)


def test_ctrl_c_is_answered_while_waiting_for_input():
    process = start("run", "cat", "--unit", "native", stdin=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"a")
    process.stdin.flush()
    assert process.stdout.read(1) == b"a"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    process.communicate()


@pytest.mark.parametrize(
    "arguments", [("programs",), ("run", "primes", "--unit", "native"), ("list", "hello")], ids=" ".join
)
def test_a_closed_pipe_ends_quietly(arguments):
    process = start(*arguments)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_output_that_cannot_be_written_is_one_line_of_error():
    with open("/dev/full", "wb") as full:
        process = start("run", "hello", "--unit", "native", stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err == b"sbn: error: standard output: No space left on device\n"


def test_every_stream_may_be_closed():
    command = [*COMMAND, "run", "cat", "--unit", "native"]
    done = subprocess.run(["sh", "-c", 'exec "$@" <&- 2>&-', "sh", *command], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")


def test_output_is_utf_8_in_any_locale():
    environment = os.environ | {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    source = ".isa sbn\n sbn x ; …\nx: .space 100\n".encode()
    process = start("list", "-", stdin=subprocess.PIPE, env=environment)
    out, err = process.communicate(source, timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert "…" in out.decode()


@pytest.mark.slow
@pytest.mark.parametrize("given", ["", "--xla_cpu_enable_fast_math=false"])
def test_the_command_leaves_the_options_of_xla_as_they_are(given):
    code = "import os; from vm.console import jax_setup; jax_setup.prepare(); print(os.environ['XLA_FLAGS'])"
    environment = os.environ | {"XLA_FLAGS": given}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.rstrip("\n") == given


@pytest.mark.slow
def test_every_core_is_a_device_unless_the_environment_says_otherwise():
    code = "from vm.console import jax_setup; jax_setup.prepare(); import jax; print(len(jax.devices()))"

    def devices(given: str) -> int:
        environment = os.environ | {"XLA_FLAGS": given}
        told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        return int(told.stdout)

    assert devices("") == len(os.sched_getaffinity(0))
    assert devices("--xla_force_host_platform_device_count=5") == 5


def two_processes(*arguments: str) -> tuple[list[int], list[bytes], str]:
    """Two processes that share a command: their exit codes and outputs, and what the first said."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    both = [start(*arguments, "--cluster", f"localhost:{port},2,{index}") for index in range(2)]
    said = [process.communicate(timeout=120) for process in both]
    return [process.returncode for process in both], [out for out, _ in said], said[0][1].decode()


@pytest.mark.slow
def test_two_processes_share_a_batch_and_the_first_writes_what_one_would(tmp_path):
    lines = tmp_path / "lines"
    lines.write_text("".join(f"{k} {3 * k}\n" for k in range(30)))
    codes, (out, other), err = two_processes("run", "adder", "--unit", "ntk-limit", "--batch", str(lines))
    assert codes == [0, 0], err
    assert out == "".join(f"{4 * k}\n" for k in range(30)).encode() and other == b""
    assert "halted: 30 of 30 machines (30 halted); " in err


@pytest.mark.slow
def test_two_processes_share_a_verification_and_the_first_writes_what_one_would():
    arguments = ("verify", "--unit", "ntk-limit", "--group", "4")
    codes, (out, other), err = two_processes(*arguments)
    assert codes == [0, 0], err
    _, alone, _ = sbn(*arguments)
    assert (out.split(b"Proved")[0], other) == (alone.split(b"Proved")[0], b"")
    codes, (out, other), err = two_processes("verify", "--unit", "native", "--cases", "100000", "--width", "20")
    assert codes == [0, 0], err
    assert b"4 of 4 shards, 100,000 cases, all right" in out and other == b""


@pytest.mark.slow
@pytest.mark.parametrize("index", [1, *slow(0)])
def test_processes_that_do_not_meet_say_so(index):
    code = """
import sys
from vm import cli
from vm.console import jax_setup
jax_setup.MEETING_SECONDS = 3
sys.exit(cli.main(["verify", "--unit", "native", "--cluster", sys.argv[1]]))
"""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    place = f"localhost:{port},2,{index}"
    told = subprocess.run([sys.executable, "-c", code, place], capture_output=True, text=True, timeout=60)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.endswith(f"sbn: error: the processes of --cluster {place} did not find each other within 3 s\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--cluster", "auto"), "--cluster shares a batch"),
        (("--batch", "-", "--cluster", "here"), "--cluster is HOST:PORT,COUNT,INDEX or auto, not 'here'"),
        (("--batch", "-", "--cluster", "localhost:1,2,2"), "there is no process 2 among 2"),
    ],
)
def test_a_cluster_that_cannot_be_is_refused(options, said):
    code, out, err = sbn("run", "adder", "--unit", "native", *options)
    assert (code, out) == (2, b"") and said in err and err.count("\n") == 1
