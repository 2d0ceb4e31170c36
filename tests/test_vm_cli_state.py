"""`sbn run --save-state` and `--resume`: a long run in pieces is the run in one piece."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import programs
from vm.cli import main

ENDLESS = (
    ".isa sbn\nloop: sbn one, n\n sbn zero, minus1, loop\nzero: .word 0\none: .word 1\nminus1: .word -1\nn: .word 0\n"
)


def run(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> tuple[int, bytes, str]:
    code = main(["run", *arguments])
    said = capfdbinary.readouterr()
    return code, said.out, said.err.decode()


@pytest.mark.parametrize("unit", ["native", "ntk-limit"])
def test_a_run_in_pieces_prints_what_the_run_in_one_piece_prints(unit, tmp_path, capfdbinary):
    state, given = str(tmp_path / "state"), tmp_path / "input"
    given.write_bytes(programs.sample_input("sort"))
    options = ["sort", "--unit", unit, "--save-state", state, "--max-steps", "50"]
    code, printed, said = run(capfdbinary, *options, "--input", str(given))
    pieces = 0
    while code == 1:
        assert "the budget of 50 steps" in said
        code, more, said = run(capfdbinary, "sort", "--resume", state, "--save-state", state, "--max-steps", "50")
        printed += more
        pieces += 1
    assert code == 0 and pieces >= 5 and printed == programs.sample_output("sort")
    assert f"({unit}," in said  # the unit of the snapshot, without being asked for


def test_resuming_says_why_it_cannot(tmp_path, capfdbinary):
    state = str(tmp_path / "state")
    assert run(capfdbinary, "hello", "--unit", "native", "--save-state", state, "--max-steps", "5")[0] == 1
    for arguments, reason in (
        (["countdown", "--resume", state], "another program"),
        (["hello", "--resume", state, "--unit", "ntk-limit"], "made on the unit 'native'"),
        (["hello", "--resume", state, "--memory", "999"], "a memory of"),
        (["hello", "--resume", state, "--input-text", "x"], "--resume continues with the input"),
        (["hello", "--resume", str(tmp_path / "none")], "No such file"),
        (["hello", "--resume", __file__], "damaged, or not a snapshot"),
    ):
        code, printed, said = run(capfdbinary, *arguments)
        assert code == 2 and printed == b"" and reason in said and "Traceback" not in said


def test_an_interrupted_run_is_saved_and_goes_on(tmp_path):
    source, state = tmp_path / "endless.sbn", tmp_path / "state"
    source.write_text(ENDLESS)
    command = [sys.executable, "-c", "import sys; from vm.cli import main; sys.exit(main())"]
    command += ["run", str(source), "--unit", "native", "--save-state", str(state)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not state.exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and f"saved to {state}; go on with --resume {state}" in said, said
    assert main(["run", str(source), "--resume", str(state), "--max-steps", "10"]) == 1


def test_killed_at_any_moment_a_run_leaves_a_whole_state_file_or_none(tmp_path: Path):
    from vm import snapshot

    source, state = tmp_path / "endless.sbn", tmp_path / "state"
    source.write_text(ENDLESS)
    command = [
        sys.executable,
        "-c",
        "import vm.console.running as r, sys; r.SAVE_SECONDS = 0.01; r.FIRST_SLICE = 1000;",
    ]
    command[-1] += "from vm.cli import main; sys.exit(main())"
    command += ["run", str(source), "--unit", "native", "--save-state", str(state)]
    rng = random.Random(0)
    for _ in range(4):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while not state.exists():
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        process.wait()
        assert snapshot.load(state).place.steps >= 0
