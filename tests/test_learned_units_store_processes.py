"""Weights that several processes save and make: one at a time, and whole whatever happens to one of them."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from learned_units import store


def start(code: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


SAVE_FOREVER = """
    import itertools, sys
    from pathlib import Path
    import numpy as np
    from learned_units import store
    for k in itertools.count():
        store.save(Path(sys.argv[1]), {"a": np.full((500, 500), k % 7, np.float32)}, {"k": k % 7})
        print(k, flush=True)
"""


def test_a_process_killed_while_it_saves_leaves_the_old_file_or_the_new(tmp_path):
    path = tmp_path / "x.safetensors"
    rng = np.random.default_rng(0)
    for _ in range(3):
        process = start(SAVE_FOREVER, path)
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.03))
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
        tensors, manifest = store.load(path, {})
        assert (tensors["a"] == manifest["k"]).all()


HOLD = """
    import sys, time
    from pathlib import Path
    from learned_units import store
    with store.lock(Path(sys.argv[1]), lambda: None):
        print("held", flush=True)
        time.sleep(600)
"""


def held(path: Path) -> subprocess.Popen[str]:
    process = start(HOLD, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def close(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_lock_keeps_others_waiting_until_it_is_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "POLL_SECONDS", 0.01)
    path = tmp_path / "x"
    process = held(path)
    waited = []

    def waiting() -> None:
        waited.append(time.monotonic())
        if len(waited) <= 5:
            assert os.listdir(tmp_path) == ["x.lock"]
        if len(waited) == 5:
            process.send_signal(signal.SIGINT)  # it lets go of the lock and ends
            process.wait()

    with store.lock(path, waiting):
        assert len(waited) >= 5
        assert os.listdir(tmp_path) == ["x.lock"]
    assert os.listdir(tmp_path) == []
    process.communicate()


def test_the_lock_of_a_dead_process_is_taken_over_at_once(tmp_path):
    process = held(tmp_path / "x")
    close(process)
    assert os.listdir(tmp_path) == ["x.lock"]
    began = time.monotonic()
    with store.lock(tmp_path / "x", lambda: None):
        assert time.monotonic() - began < 5
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", ["", "elsewhere 1 1"])
def test_a_lock_file_left_lying_around_holds_nobody_up(tmp_path, content):
    (tmp_path / "x.lock").write_text(content)
    with store.lock(tmp_path / "x", pytest.fail):
        assert os.listdir(tmp_path) == ["x.lock"]
    assert os.listdir(tmp_path) == []


def test_a_lock_that_is_held_is_respected_however_old_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "POLL_SECONDS", 0.01)
    process = held(tmp_path / "x")
    os.utime(tmp_path / "x.lock", (0, 0))
    waited = []

    def waiting() -> None:
        waited.append(1)
        if len(waited) == 5:
            close(process)

    with store.lock(tmp_path / "x", waiting):
        assert len(waited) >= 5


def test_only_one_holds_a_lock_that_many_take_in_turn(tmp_path):
    """Each adds one to a number in a file, many times; the lock's file comes and goes under those who wait for it."""
    (tmp_path / "number").write_text("0")
    for process in [start(ADD_IN_TURN, tmp_path / "number") for _ in range(4)]:
        finish(process)
    assert os.listdir(tmp_path) == ["number"]
    assert (tmp_path / "number").read_text() == "200"


ADD_IN_TURN = """
    import sys
    from pathlib import Path
    from learned_units import store
    store.POLL_SECONDS = 0.0005
    path = Path(sys.argv[1])
    for _ in range(50):
        with store.lock(path, lambda: None):
            path.write_text(str(int(path.read_text()) + 1))
"""


def test_a_lock_is_let_go_whatever_happens_inside(tmp_path):
    for error in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error), store.lock(tmp_path / "x", lambda: None):
            raise error
        assert os.listdir(tmp_path) == []


TRAIN = """
    import sys
    from learned_units import load_unit
    unit = load_unit("ntk", 8, "sbn", group=2)
    print(unit.tensor_hash, int(unit.subtract_branch(3, 5, 7, 9).next_pc))
"""


@pytest.mark.slow
def test_two_processes_that_need_the_same_weights_end_with_the_same_ones(tmp_path):
    both = [start(TRAIN, SBN_CACHE_DIR=str(tmp_path)) for _ in range(2)]
    outputs = {finish(process) for process in both}
    assert len(outputs) == 1
    assert outputs.pop().split()[1] == "7"
    assert os.listdir(tmp_path / "weights") == ["ntk-g2-seed0.safetensors"]
