"""What `sbn verify` does shard by shard: one network for the whole word, or pairs of operands; and how it tells faults.

Finished shards are kept, and the same command continues from there.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from vm.console import terminal
from vm.console.launch import UsageError, stated_by_user
from vm.console.terminal import Talk
from vm.margin import MARGIN_ROUNDING, format_margin

if TYPE_CHECKING:
    from learned_units.circuits.literals import LiteralSet
    from learned_units.circuits.templates import TemplateSet
    from learned_units.proof.enumeration import Weakest
    from learned_units.proof.pairs import Counterexample
    from learned_units.proof.shards import Coverage, Plan
    from learned_units.unit import Unit

SMALL = 8  # up to this many bits all pairs are run, unless a number is given
SAMPLED_CASES = 100_000
SEARCHED_CASES = 20_000  # for operands that show what the enumeration found


class Failed(Exception):
    """The verification failed, and that was told; in a few words for the record, what failed."""

    def __init__(self, what: str, *, wrong: bool = False, network: str | None = None) -> None:
        """wrong: whether an answer is, or only a margin too small. network: to blame, where that is known."""
        super().__init__(what)
        self.wrong = wrong
        self.network = network


def prove_every_length(unit: Unit, talk: Talk) -> dict[str, Any]:
    """The closed set of a one-sided Neural GPU: it is right on words of every length. The claim; raises Failed."""
    from learned_units.neural_gpu import every_length, tape

    began, task = time.monotonic(), tape.BRANCH_TASKS[unit.isa]
    try:
        found = every_length.prove(unit.params, task, talk.progress)
    except every_length.NotProvedError as error:
        terminal.write(f"FAILED: '{task.name}' is not proved: {error}\n")
        raise Failed(f"'{task.name}' is not proved") from None
    terminal.prose(
        f"Proved in {time.monotonic() - began:.1f} s: the network for '{task.name}' is right on words of every length. "
        f"{found.windows:,} windows of {found.cells:,} cells and {found.states} states are closed under its step after "
        f"{found.steps} steps, and every cell that is read answers right, smallest margin "
        f"{format_margin(found.smallest_margin, 3)}; no number whose sign is a state is nearer to 0 than "
        f"{found.smallest_number:.1g}, and rounding moves it by {found.rounding:.1g} at most. docs/neural_gpu.md has "
        "the argument."
    )
    return {"operands": "words of every length", "cases": found.windows, "smallest_margin": found.smallest_margin}


def run_word_form(unit: Unit, options: argparse.Namespace, talk: Talk) -> tuple[dict[str, Any], str] | None:
    """Every network of a unit in the paper's form on every input, from where it was left.

    The claim, and the coverage in words; None where --shard asked for a shard alone. Raises Failed.
    """
    from learned_units.circuits.subtract_branch import template_sets
    from learned_units.proof import word_form

    with stated_by_user():
        plan = word_form.plan(unit)
    talk.progress(f"listing what the networks of {unit.word_bits}-bit words receive", 0.0)
    word_form.check_composition(unit.word_bits)
    word_form.pieces(unit.word_bits)
    if options.shard is not None:
        return _run_one(unit, plan, options.shard, talk)
    covered, example, seconds = _go_on(unit, plan, options, talk)
    if example is not None:
        tell_weakest(example, template_sets(unit.word_bits)[example.network])
        raise _forgotten(plan, Failed(f"'{example.network}' is wrong", wrong=True, network=example.network))
    _write_networks(plan)
    said = _coverage(plan, covered)
    form = f"{unit.name}, {unit.word_bits} bits in one network"
    margin = format_margin(covered.smallest_margin, digits=3)
    if covered.shards < plan.shards:
        terminal.write(f"{form}: {said}, all right, smallest margin {margin}, {seconds:.1f} s\n")
        talk.say("the same command continues from there")
    else:
        order = ", in whatever order float32 sums are made" if unit.tensor_hash is not None else ""
        terminal.prose(
            f"Proved: {form}: each network gives the right answer on every input it can receive, {covered.cases:,} in "
            f"all, smallest margin {margin}{order}; the passes compose them to subtraction and branch for both "
            "instruction sets. docs/verification.md has the argument."
        )
    return plan.as_manifest(covered), said


def run_pairs(
    unit: Unit, floor: float | None, options: argparse.Namespace, talk: Talk
) -> tuple[dict[str, Any], str] | None:
    """Pairs of operands, from where they were left. As `run_word_form`.

    floor: the smallest margin that suffices, less what rounding takes.
    """
    from learned_units.proof import pairs

    width, cases = unit.word_bits, options.cases
    if cases is None and width > SMALL:
        cases = SAMPLED_CASES
    with stated_by_user():
        plan = pairs.plan(unit, cases, options.seed)
    if options.shard is not None:
        return _run_one(unit, plan, options.shard, talk)
    covered, example, seconds = _go_on(unit, plan, options, talk)
    if example is not None:
        _tell(example, plan)
        wrong = f"{example.minuend} - {example.subtrahend}, {width}-bit {unit.isa}, is wrong"
        raise _forgotten(plan, Failed(wrong, wrong=True))
    said = _coverage(plan, covered)
    low = too_low(covered.smallest_margin, floor and floor - MARGIN_ROUNDING, f"{plan.operands}, {width}-bit: ")
    if low is not None:
        raise _forgotten(plan, Failed(low))
    terminal.write(
        f"{unit.name}, {width}-bit {unit.isa}: {plan.operands}: {said}, all right, smallest margin "
        f"{format_margin(covered.smallest_margin, digits=3)}, {seconds:.1f} s\n"
    )
    if covered.shards < plan.shards:
        talk.say("the same command continues from there")
    elif plan.operands == pairs.SAMPLED:
        terminal.write(f"this is a sample (seed {plan.seed}), not a proof\n")
    return plan.as_manifest(covered), said


def _go_on(unit: Unit, plan: Plan, options: argparse.Namespace, talk: Talk) -> tuple[Coverage, Any, float]:
    """Run the shards that are asked for: what is covered then, a wrong case, and the seconds it took."""
    from learned_units.processes import ProcessLost
    from learned_units.proof import shards

    if options.restart:
        shards.forget(plan)
    before = shards.finished(plan)
    if before.shards:
        talk.say(f"continuing from {_coverage(plan, before)}")
    began = time.monotonic()
    try:
        covered, example = shards.verify(unit, plan, most_shards=options.shards, progress=talk.progress)
    except (KeyboardInterrupt, ProcessLost):
        talk.clear()
        talk.say(f"finished so far: {_coverage(plan, shards.finished(plan))}; the same command continues from there")
        raise
    talk.clear()
    return covered, example, time.monotonic() - began


def _run_one(unit: Unit, plan: Plan, number: int, talk: Talk) -> None:
    """One shard, finished before or not; nothing is recorded. Raises Failed."""
    from learned_units.proof import shards

    if number >= plan.shards:
        raise UsageError(f"there is no shard {number:,}: there are {plan.shards:,}, counted from 0")
    began = time.monotonic()
    ran = plan.run(unit, number, lambda done, of: talk.progress(f"running shard {number:,}", done / of))
    talk.clear()
    if ran.example is not None:
        raise Failed(f"shard {number:,} is wrong: {ran.example}", wrong=True)
    known = shards.listed(plan).get(number)
    recorded = "" if known is None else f" (recorded: {known[0]:,} cases, {format_margin(known[1], digits=3)})"
    terminal.write(
        f"shard {number:,} of {plan.shards:,}: {ran.cases:,} cases, all right, smallest margin "
        f"{format_margin(ran.smallest_margin, digits=3)}{recorded}, {time.monotonic() - began:.1f} s\n"
    )


def _forgotten(plan: Plan, failed: Failed) -> Failed:
    """The failure; nothing that these weights did before is worth going on from."""
    from learned_units.proof import shards

    shards.forget(plan)
    return failed


def _write_networks(plan: Plan) -> None:
    """A table of what of each network is finished."""
    from learned_units.proof import shards, word_form

    known = shards.listed(plan)
    rows = [("network", "inputs", "verified", "smallest margin")]
    pieces = word_form.pieces(plan.word_bits)
    for name in dict.fromkeys(piece.network for piece in pieces):
        numbers = [number for number, piece in enumerate(pieces) if piece.network == name]
        covered = shards.coverage({number: known[number] for number in numbers if number in known})
        margin = format_margin(covered.smallest_margin, digits=3) if covered.shards else "-"
        inputs = sum(pieces[number].cases for number in numbers)
        rows.append((name, f"{inputs:,}", f"{covered.cases:,}", margin))
    terminal.write_table(rows, right=(1, 2, 3))
    terminal.write("\n")


def search_operands(unit: Unit) -> None:
    """Operands that show the failure, if a sample finds some."""
    from learned_units.proof import pairs, shards

    plan = pairs.plan(unit, SEARCHED_CASES)
    shards.forget(plan)
    _, example = shards.verify(unit, plan)
    if example is None:
        terminal.write(f"  {SEARCHED_CASES:,} pairs of operands do not show it\n")
    else:
        _tell(example, plan)
    shards.forget(plan)


def too_low(margin: float, floor: float | None, where: str) -> str | None:
    """What fails, and is told here, where a smallest margin is below the floor, or no number."""
    if floor is None or margin >= floor:
        return None
    low = f"{where}the smallest margin is {format_margin(margin, digits=3)}; weights are accepted from {floor} on"
    terminal.write(f"FAILED: {low}\n")
    return low


def tell_weakest(found: Weakest, learned: TemplateSet | LiteralSet) -> None:
    terminal.write(
        f"FAILED: '{found.network}' answers {found.value} for output {found.output} at position {found.position} "
        f"(prediction {found.prediction:.4f}, threshold {found.threshold:.4f}), but {1 - found.value} is right,\n"
        f"  where {learned.told(found.input)}\n"
    )


def _coverage(plan: Plan, covered: Coverage) -> str:
    shards = f"{covered.shards:,} of {plan.shards:,} shards"
    part = f", {covered.shards / plan.shards:.2%}" if covered.shards < plan.shards else ""
    return f"{shards}{part}, {covered.cases:,} cases"


def _tell(example: Counterexample, plan: Plan) -> None:
    terminal.write(
        f"FAILED: {example.minuend} - {example.subtrahend} = {example.difference}, next pc {example.next_pc} "
        f"(target {example.target}, fall-through {example.fall_through})\n"
        f"  exact, {plan.word_bits}-bit {plan.isa}: {example.exact_difference}, next pc {example.exact_next_pc}\n"
    )
    decision = example.decision
    if decision is not None:
        terminal.write(
            f"  pass {decision.stage} ({decision.network}), output {decision.output}, bit {decision.bit}: prediction "
            f"{decision.prediction:.4f}, threshold {decision.threshold:.4f}, {decision.matched} of its inputs on\n"
        )
