"""Verification by operands: it covers what it says, finds what is wrong, and loses one shard at most."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from learned_units import load_unit, store
from learned_units import unit as unit_module
from learned_units.circuits.subtract_branch import template_sets
from learned_units.networks import predictor
from learned_units.proof import enumeration as proof
from learned_units.proof import operands, shards
from learned_units.proof import pairs as verification
from learned_units.proof.pairs import ALL, SAMPLED
from learned_units.store import WeightsError
from learned_units.unit import Unit
from learned_units.weights import recipes


@pytest.fixture(autouse=True)
def small_shards(monkeypatch, tmp_path, trained_cache):
    """Many shards, and a folder of their own: what was finished in one test is not known in another."""
    monkeypatch.setattr(verification, "SHARD", 1 << 10)
    monkeypatch.setattr(verification, "SAMPLED_SHARD", 1 << 9)
    monkeypatch.setattr(unit_module, "BLOCK", 1 << 9)
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))


def limit_with_fault(word_bits: int, isa: str = "sbn") -> Unit:
    """The closed form with a threshold of `difference`, at two matched templates, that nothing passes."""
    unit = load_unit("ntk-limit", word_bits, isa)
    form = unit.params["difference"]
    broken = form._replace(table=form.table.at[3, 2].set(9))
    return dataclasses.replace(unit, params={**unit.params, "difference": broken})


# --- what a plan covers -----------------------------------------------------------------------------------------------


def ran(plan: verification.Plan) -> list[tuple[int, int]]:
    """The pairs of all shards, in order."""
    shards = [verification._shard(plan, number) for number in range(plan.shards)]
    return [pair for cases in shards for pair in zip(cases[0].tolist(), cases[1].tolist(), strict=True)]


def test_all_pairs_are_all_pairs():
    plan = verification.plan(load_unit("native", 6))
    assert plan.operands == ALL
    assert plan.shards == 4
    assert sorted(ran(plan)) == [(a, b) for a in range(64) for b in range(64)]


def test_a_sample_is_half_adversarial_and_its_seed_decides_it():
    unit = load_unit("native", 16)
    plan = verification.plan(unit, 1200, seed=5)
    assert plan.operands == SAMPLED
    assert plan.shards == 3
    pairs = ran(plan)
    assert len(pairs) == 1200
    assert pairs == ran(verification.plan(unit, 1200, seed=5)) != ran(verification.plan(unit, 1200, seed=6))
    assert sum(a == b for a, b in pairs) > 20  # a uniform pair would be once in 65,536


def test_all_pairs_of_wide_words_are_refused():
    with pytest.raises(ValueError, match="all pairs of 17-bit words are too many"):
        verification.plan(load_unit("native", 17))
    assert verification.plan(load_unit("native", 17), 100).cases == 100


# --- right and wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "isa"), [("native", "subleq"), ("ntk-limit", "sbn")])
def test_units_that_are_right_pass(name, isa):
    unit = load_unit(name, 6, isa)
    covered, example = shards.verify(unit, verification.plan(unit))
    assert example is None
    assert (covered.shards, covered.cases) == (4, 4096)
    assert covered.smallest_margin == (float("inf") if name == "native" else pytest.approx(1, abs=1e-4))


@pytest.mark.parametrize("isa", ["sbn", "subleq"])
def test_exact_is_what_python_integers_say(isa):
    rng = np.random.default_rng(0)
    cases = operands.adversarial(rng, 500, 9)
    difference, next_pc = verification.exact(cases, 9, isa)
    for a, b, c, f, d, pc in zip(*(column.tolist() for column in (*cases, difference, next_pc)), strict=True):
        assert d == (a - b) % 512
        assert pc == (c if d >= 256 or (isa == "subleq" and d == 0) else f)


@pytest.mark.parametrize("cases", [None, 2000])
def test_a_unit_that_is_wrong_is_told_with_operands_and_the_decision(cases):
    unit = limit_with_fault(6)
    plan = verification.plan(unit, cases)
    covered, example = shards.verify(unit, plan)
    assert example is not None
    assert example.difference != (example.minuend - example.subtrahend) % 64 == example.exact_difference
    assert example.decision is not None
    assert covered == shards.finished(plan)
    words = (example.minuend, example.subtrahend, example.target, example.fall_through)
    told = unit.subtract_branch(*(np.full(unit_module.BLOCK, word) for word in words))  # a block, as was verified
    assert (int(told.difference[0]), int(told.next_pc[0])) == (example.difference, example.next_pc)


@pytest.mark.slow
def test_the_decision_to_blame_is_the_first_wrong_one_of_a_trained_unit(unit_of):
    unit = unit_of("ntk", 6)
    weights = unit.params["difference"]
    broken = dataclasses.replace(
        unit, params={**unit.params, "difference": weights._replace(outer=weights.outer * np.float32(0.1))}
    )
    _, example = shards.verify(broken, verification.plan(broken))
    assert example is not None and example.decision is not None
    decision = example.decision
    assert (decision.network, decision.output) == ("difference", "d")
    assert decision.value != example.exact_difference >> decision.bit & 1


@pytest.mark.slow
def test_no_margin_and_a_margin_that_is_no_number_are_wrong(unit_of):
    unit = unit_of("ntk", 6)
    select = unit.params["select"]
    for spoil in (select._replace(outer=select.outer * np.float32("nan")), select._replace(inner=select.inner * 0)):
        spoiled = dataclasses.replace(unit, params={**unit.params, "select": spoil})
        assert shards.verify(spoiled, verification.plan(spoiled))[1] is not None


def test_the_weakest_input_of_a_wrong_network_is_named(unit_of):
    params = unit_of("ntk").params["select"]
    template_set = template_sets(8)["select"]
    broken = params._replace(outer=params.outer * np.float32(0.4))
    found = proof.weakest(template_set, broken)
    specified = template_set.specify(np.array(found.input, np.int8))
    right = specified[template_set.outputs.index(found.output) * template_set.group + found.position]
    assert found.value != right
    assert found.network == "select"
    assert found.value == (found.prediction > found.threshold)


# --- interrupted and resumed ------------------------------------------------------------------------------------------


def test_what_was_finished_is_not_run_again():
    unit = load_unit("ntk-limit", 6)
    plan = verification.plan(unit)
    first, _ = shards.verify(unit, plan, most_shards=1)
    assert (first.shards, first.cases) == (1, 1024)
    heard = []
    whole, _ = shards.verify(unit, plan, progress=lambda what, part: heard.append(part))
    assert (whole.shards, whole.cases) == (4, 4096)
    assert heard[0] == 0.25
    heard.clear()
    assert shards.verify(unit, plan, progress=lambda what, part: heard.append(part))[0] == whole
    assert heard == []
    shards.forget(plan)
    assert shards.finished(plan) == shards.Coverage()


def test_progress_tells_shards_rate_and_time_left():
    unit = load_unit("native", 6)
    heard = []
    shards.verify(unit, verification.plan(unit), progress=lambda what, part: heard.append(what))
    assert heard[0] == "verifying all pairs of operands: 0 of 4 shards"
    assert re.fullmatch(r"verifying all pairs of operands: 3 of 4 shards, [0-9,]+ cases/s, 0 s left", heard[-1])
    assert [shards._duration(seconds) for seconds in (7, 100, 7100, 9e6)] == [
        "7 s",
        "2 min",
        "118 min",
        "2,500 h",
    ]


def test_an_interruption_loses_at_most_the_shard_it_fell_into():
    unit = load_unit("ntk-limit", 6)
    plan = verification.plan(unit)
    blocks = 0

    def interrupt(what: str, part: float) -> None:
        nonlocal blocks
        blocks += 1
        if blocks == 8:  # three a shard of two blocks: in the middle of the third
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shards.verify(unit, plan, progress=interrupt)
    assert shards.finished(plan).shards == 2
    assert shards.verify(unit, plan)[0].cases == 4096


KILLED = """
import sys
from learned_units import load_unit
from learned_units.proof import pairs as verification
from learned_units.proof import shards
verification.SHARD = 1 << 10
unit = load_unit("ntk-limit", 8)
shards.verify(unit, verification.plan(unit), progress=lambda what, part: print(what, flush=True))
"""


@pytest.mark.slow
def test_a_killed_process_loses_at_most_one_shard(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED], stdout=subprocess.PIPE, env={**os.environ, "SBN_CACHE_DIR": str(tmp_path)}
    )
    assert process.stdout is not None
    blocks = 0
    while blocks < 9:  # two a shard, at its start and its end: the fifth has begun
        blocks += process.stdout.readline().startswith(b"verifying")
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    unit = load_unit("ntk-limit", 8)
    plan = verification.plan(unit)
    assert shards.finished(plan).shards >= 4
    before = shards.finished(plan)
    began = time.monotonic()
    after, example = shards.verify(unit, plan, most_shards=1)
    assert time.monotonic() - began < 30  # the lock of the killed process is stale at once
    assert example is None
    assert (after.shards, after.cases) == (before.shards + 1, before.cases + 1024)


def test_a_record_that_cannot_be_written_names_the_way_out():
    unit = load_unit("native", 6)
    plan = verification.plan(unit)
    plan.path.mkdir(parents=True)
    with pytest.raises(WeightsError, match=r"0\.txt cannot be written \(Is a directory\); SBN_CACHE_DIR can name"):
        shards.verify(unit, plan)


def _finished_plan() -> verification.Plan:
    """A plan of four shards, all of them finished."""
    unit = load_unit("native", 6)
    plan = verification.plan(unit)
    shards.verify(unit, plan)
    assert shards.finished(plan) == shards.Coverage(4, 4096)
    return plan


def test_any_bit_of_a_record_that_flips_costs_the_shard_it_speaks_of_and_no_other():
    plan = _finished_plan()
    whole = plan.path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        plan.path.write_bytes(damaged)
        left = shards.finished(plan)
        # A newline that flips costs the two lines it parted; that of the last line, or one that appears, one.
        assert left.shards == (2 if whole[position] == 10 and position < len(whole) - 1 else 3), position
        assert left.cases == 1024 * left.shards
    assert len(lines) == 4


@pytest.mark.parametrize(
    ("number", "cases", "margin"),
    [
        (-1, 1024, 1.0),
        (4, 1024, 1.0),
        (5, 1024, 1.0),
        (0, 10**24, 1.0),
        (0, 1023, 1.0),
        (0, -1024, 1.0),
        (0, 1024, float("nan")),
        (0, 1024, -1.0),
        (0, 1024, 0.0),
    ],
)
def test_a_record_that_cannot_be_of_the_plan_does_not_count(number, cases, margin):
    plan = _finished_plan()
    plan.path.write_text(shards._line(plan, number, cases, margin) + "\n")  # its checksum is right
    assert shards.finished(plan) == shards.Coverage()
    plan.path.write_text(shards._line(plan, 0, 1024, 0.5) + "\n")
    assert shards.finished(plan) == shards.Coverage(1, 1024, 0.5)


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, b"\xff\x00\n\n", b"1 " * 1000, b"9" * 9999])
def test_a_damaged_record_costs_its_shards_with_a_warning(data):
    plan = _finished_plan()
    rest = plan.path.read_text().splitlines()[1:]
    plan.path.write_bytes(data + "".join(f"\n{line}" for line in rest).encode())
    heard = []
    unit = load_unit("native", 6)
    found, _ = shards.verify(unit, plan, progress=lambda what, part: heard.append(what))
    assert (found.shards, found.cases) == (4, 4096)
    assert "lines are damaged" in heard[0] and "3 of 4 shards" in heard[1]
    heard.clear()
    shards.verify(unit, plan, progress=lambda what, part: heard.append(what))
    assert heard == []


def test_a_record_of_another_plan_does_not_count():
    plan = _finished_plan()
    other = dataclasses.replace(plan, weights="0" * 64)
    other.folder.mkdir(parents=True, exist_ok=True)
    other.path.write_bytes(plan.path.read_bytes())
    assert shards.finished(other) == shards.Coverage()


@pytest.mark.slow
def test_other_weights_have_another_plan(unit_of):
    unit = unit_of("ntk", 6)
    other = dataclasses.replace(unit, tensor_hash="0" * 64)
    assert verification.plan(unit).folder != verification.plan(other).folder


@pytest.mark.parametrize("what", ["numbers", "spec", "version of the code", "libraries"])
def test_what_another_evaluation_finished_does_not_count(what, monkeypatch):
    unit = load_unit("ntk-limit", 6)
    plan = verification.plan(unit)
    shards.verify(unit, plan)
    assert shards.finished(verification.plan(load_unit("ntk-limit", 6))).shards == plan.shards
    if what == "numbers":
        unit = limit_with_fault(6)
    elif what == "spec":
        unit = dataclasses.replace(unit, spec=load_unit("ntk-limit", 6, "subleq").spec)
    elif what == "version of the code":
        monkeypatch.setattr(predictor, "VERSION", predictor.VERSION + 1)
    else:
        monkeypatch.setattr(store, "origin", lambda: {"jaxlib": "of another day"})
    assert shards.finished(verification.plan(unit)) == shards.Coverage()


# --- claims in the manifest -------------------------------------------------------------------------------------------


def stored(path) -> str:
    return store.save(path, {"w": np.arange(3, dtype=np.float32)}, {"unit": "ntk"})["tensor_hash"]


def test_a_claim_is_written_into_the_manifest_and_replaces_one_of_its_name(tmp_path):
    path = tmp_path / "weights.safetensors"
    known = stored(path)
    for cases in (5, 6):
        recipes.record(path, known, "one", {"cases": cases})
    recipes.record(path, known, "two", {"cases": 7})
    tensors, manifest = store.load(path, {"unit": "ntk"})
    assert manifest["claims"] == {"one": {"cases": 6}, "two": {"cases": 7}}
    assert manifest["tensor_hash"] == known
    assert tensors["w"].tolist() == [0, 1, 2]


def test_a_claim_about_other_weights_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    stored(path)
    before = path.read_bytes()
    with pytest.raises(WeightsError, match="now holds other weights"):
        recipes.record(path, "0" * 64, "one", {})
    assert path.read_bytes() == before


def test_a_manifest_is_whole_though_writing_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "weights.safetensors"
    known = stored(path)
    before = path.read_bytes()

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", fail)
    with pytest.raises(WeightsError, match="No space left on device"):
        recipes.record(path, known, "one", {})
    assert path.read_bytes() == before
