"""Processes that share a verification: what one would find, whoever finds it, and nothing lost when one is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from learned_units import load_unit, processes
from learned_units.proof import pairs, shards
from learned_units.store import WeightsError

# A process of several: argv is where they meet, how many they are, and which it is. Shards are small.
PROCESS = """
import dataclasses, json, sys, jax
jax.distributed.initialize(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), initialization_timeout=60)
from learned_units import load_unit, processes
from learned_units.proof import pairs as verification
from learned_units.proof import shards
from learned_units import unit as unit_module
verification.SHARD = 1 << 10
"""


@pytest.fixture(autouse=True)
def small_shards(monkeypatch, tmp_path, trained_cache):
    """Many shards, and a folder of their own."""
    monkeypatch.setattr(pairs, "SHARD", 1 << 10)
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))


@pytest.fixture
def start():
    """start(code): processes that run it; none of them outlives the test."""
    started: list[subprocess.Popen] = []

    def more(code: str, folders: Path | None = None) -> list[subprocess.Popen]:
        started.extend(_started(code, 2, folders))
        return started[-2:]

    yield more
    for process in started:
        process.kill()
        process.communicate()


def _started(code: str, count: int, folders: Path | None) -> list[subprocess.Popen]:
    """Each with a cache of its own below `folders`, or all with that of this test."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        place = f"localhost:{free.getsockname()[1]}"
    started = []
    for index in range(count):
        command = [sys.executable, "-c", PROCESS + code, place, str(count), str(index)]
        cache = {} if folders is None else {"SBN_CACHE_DIR": str(folders / str(index))}
        environment = {**os.environ, **cache}
        started.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
    return started


def told(started: list[subprocess.Popen]) -> list[str]:
    """The last line each of them printed."""
    both = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0] * len(started), both
    return [out.splitlines()[-1] for out, _ in both]


VERIFY = """
unit = load_unit("ntk-limit", 7)
covered, example = shards.verify(unit, verification.plan(unit))
print(json.dumps(dataclasses.asdict(covered)))
"""


@pytest.mark.slow
def test_all_processes_learn_what_one_would_and_go_on_from_what_another_number_of_them_finished(start):
    unit = load_unit("ntk-limit", 7)
    plan = pairs.plan(unit)
    alone, _ = shards.verify(unit, plan)
    assert alone.shards == 16
    shards.forget(plan)
    shards.verify(unit, plan, most_shards=5)
    assert [json.loads(line) for line in told(start(VERIFY))] == [vars(alone)] * 2
    assert sorted(path.name for path in plan.folder.iterdir()) == ["0.txt", "1.txt"]
    assert shards.finished(plan) == alone


@pytest.mark.slow
def test_processes_with_folders_of_their_own_tell_each_other_what_is_finished(start, tmp_path):
    first = 'unit = load_unit("ntk-limit", 7)\nshards.verify(unit, verification.plan(unit), most_shards=5)\nprint(1)'
    told(start(first, folders=tmp_path))
    heard = VERIFY.replace("plan(unit))\n", "plan(unit), progress=lambda what, part: heard.append(part))\n")
    lines = told(start(f"heard = []{heard}print(heard[0], covered.shards)", folders=tmp_path))
    assert lines == ["0.3125 16"] * 2  # five of sixteen were finished


@pytest.mark.slow
def test_a_killed_process_ends_the_others_and_each_loses_one_shard_at_most(start):
    code = """
unit = load_unit("ntk-limit", 9)
def progress(what, part):
    print("at", part, flush=True)
try:
    shards.verify(unit, verification.plan(unit), progress=progress)
except processes.ProcessLost as lost:
    print(lost, flush=True)
    import os; os._exit(7)
"""
    other, killed = start(code)
    assert other.stdout is not None and killed.stdout is not None
    part = 0.0
    while part < 20 / 256:  # twenty shards are done, or nearly
        line = killed.stdout.readline()
        part = float(line.removeprefix("at ")) if line.startswith("at ") else part
    began = time.monotonic()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    out, _ = other.communicate(timeout=60)
    assert (other.returncode, time.monotonic() - began < 30) == (7, True)
    assert out.endswith("another process of the cluster ended before the work was done\n")
    unit = load_unit("ntk-limit", 9)
    plan = pairs.plan(unit)
    before = shards.finished(plan)
    assert before.shards >= 18
    after, example = shards.verify(unit, plan)
    assert (after.shards, after.cases, example) == (256, 1 << 18, None)


@pytest.mark.slow
def test_a_counterexample_that_one_process_finds_ends_it_for_all(start):
    code = """
unit = load_unit("ntk-limit", 7)
plan = verification.plan(unit)
if processes.index() == 1:
    form = unit.params["difference"]
    broken = form._replace(table=form.table.at[3, 2].set(9))
    unit = dataclasses.replace(unit, params={**unit.params, "difference": broken})
covered, example = shards.verify(unit, plan)
print(json.dumps([covered.shards, dataclasses.asdict(example)]))
"""
    one, other = (json.loads(line) for line in told(start(code)))
    assert one == other
    shards, example = one
    assert example["difference"] != example["exact_difference"] == (example["minuend"] - example["subtrahend"]) % 128
    assert example["decision"]["network"]
    assert shards == shards.finished(pairs.plan(load_unit("ntk-limit", 7))).shards < 16


@pytest.mark.slow
def test_inputs_are_shared_and_counted_as_one_process_counts_them(start):
    code = """
from learned_units.proof import enumeration as proof
from learned_units.circuits.subtract_branch import template_sets
unit = load_unit("ntk-limit", 16)
for name, template_set in template_sets(8).items():
    if name in ("first", "select", "any"):
        shared = proof.enumerate_by_all(template_set, unit.params[name])
        alone = proof.enumerate_inputs(template_set, unit.params[name])
        assert shared == alone and shared.inputs, (shared, alone)
print("alike")
"""
    assert told(start(code)) == ["alike"] * 2


@pytest.mark.slow
def test_processes_with_other_weights_are_refused(start):
    code = """
unit = load_unit("ntk-limit", 7)
unit = dataclasses.replace(unit, detail=f"weights {processes.index()}")
try:
    shards.verify(unit, verification.plan(unit))
except Exception as error:
    print(type(error).__name__, error)
"""
    message = "WeightsError the processes do not work on the same thing: weights is 'weights 0' in process 0 and "
    assert told(start(code)) == [f"{message}'weights 1' in process 1"] * 2
    with pytest.raises(WeightsError, match="b is 1 in process 0 and 2 in process 1"):
        _agree({"a": 0, "b": 1}, {"a": 0, "b": 2})


def _agree(mine: dict, theirs: dict) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "gather", lambda stated: [mine, theirs])
        processes.agree(mine)


def test_one_process_alone_is_the_first_of_one():
    assert (processes.index(), processes.count(), list(processes.mine(3))) == (0, 1, [0, 1, 2])
    assert processes.gather({"a": [1]}) == [{"a": [1]}]
    processes.agree({"a": 1})
