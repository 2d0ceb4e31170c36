"""`sbn verify`: a unit proved on every input its networks can receive, or run on pairs of operands against integers."""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vm.command import chosen_unit, jax_setup, terminal
from vm.command.launch import FAILED
from vm.command.terminal import Talk
from vm.command.usage import UsageError, stated_by_user

if TYPE_CHECKING:
    from learned_units.ntk.verification import Weakest
    from learned_units.unit import Unit
    from learned_units.verification import Counterexample, Plan

SMALL = 8  # up to so many bits all pairs are run unless a number is given
SAMPLED_CASES = 100_000
SEARCHED_CASES = 20_000  # for operands that show what the enumeration found


def run(options: argparse.Namespace) -> int:
    """Exit code 0 if nothing wrong was found, 1 with a counterexample otherwise."""
    talk = Talk(options.quiet)
    jax_setup.prepare()
    from learned_units import weights
    from learned_units.catalog import DEFAULT_UNIT
    from learned_units.ntk import construction, loading

    name = options.unit or DEFAULT_UNIT
    with stated_by_user():
        group = loading.checked_group(options.group) if name.startswith("ntk") else None
    enumerable = group is not None and group <= construction.ENUMERABLE_GROUP and options.cases is None
    width = options.width or (16 if group is None or group <= construction.ENUMERABLE_GROUP else group)
    if enumerable and options.shards is not None:
        raise UsageError("--shards is for pairs of operands; the networks of this unit are enumerated in one go")
    if options.weights and name == "ntk":
        unit, path = _unit_from(Path(options.weights), options, width)
        group = unit.manifest["group"]
    else:
        unit = chosen_unit.load(options, width, options.isa, talk)
        path = _path_of(unit, options, width)
    if enumerable and group is not None:
        claim, failed = _prove(unit, group, talk), None
        said = "every input enumerated"
    else:
        paper = group is not None and group == width and group > construction.ENUMERABLE_GROUP
        claim, failed, said = _run_pairs(unit, group if paper else None, options, talk)
    if failed is not None or claim is None:
        return FAILED
    if path is not None:
        weights.record(path, unit.manifest["tensor_hash"], _claim_name(claim), claim)
        talk.say(f"recorded with the weights ({said}): {path}")
    return 0


def _path_of(unit: Unit, options: argparse.Namespace, width: int) -> Path | None:
    """Where the weights of a unit are, None where it has none."""
    from learned_units import catalog

    if "tensor_hash" not in unit.manifest:
        return None
    recipe = catalog.recipe(unit.name, width, unit.isa, options.seed, group=options.group)
    return recipe.path if recipe else None


def _unit_from(path: Path, options: argparse.Namespace, width: int) -> tuple[Unit, Path | None]:
    """A unit with the weights in a file of any making; the file too, if it has a manifest to record in."""
    from learned_units import bits
    from learned_units.catalog import ISAS, UNITS
    from learned_units.ntk import construction
    from learned_units.ntk.loading import DEFAULT_GROUP
    from learned_units.ntk.unit import NtkSpec
    from learned_units.store import WeightsError, read_any, tensor_hash
    from learned_units.unit import Unit

    if options.isa not in ISAS or not bits.MIN_WORD_BITS <= width <= bits.MAX_WORD_BITS:
        raise UsageError(f"words have {bits.MIN_WORD_BITS} to {bits.MAX_WORD_BITS} bits, not {width}")
    tensors, manifest = read_any(path)
    group = (manifest or {}).get("group", options.group or DEFAULT_GROUP)
    if options.group not in (None, group):
        raise UsageError(f"{path} holds networks for groups of {group}, not {options.group}")
    try:
        params = construction.as_params(tensors, group)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    known = {"group": group, "tensor_hash": tensor_hash(tensors)}
    unit = Unit("ntk", NtkSpec(width, options.isa, group), params, UNITS["ntk"].scope, detail=str(path), manifest=known)
    return unit, None if manifest is None else path


# --- the proof --------------------------------------------------------------------------------------------------------


def _prove(unit: Unit, group: int, talk: Talk) -> dict[str, Any] | None:
    """Every input of every network, and the composition at every width. The claim, or None if it fails."""
    from learned_units.ntk import verification
    from learned_units.tasks.subtract_branch import template_sets

    began = time.monotonic()
    schedules = verification.check_composition(group)
    rows = [("network", "inputs", "wrong", "smallest margin")]
    inputs, smallest, failed = 0, math.inf, []
    for name, template_set in template_sets(group).items():
        found = verification.enumerate_inputs(
            template_set,
            unit.params[name],
            floor=0.0,
            progress=lambda part, name=name: talk.progress(f"checking every input of '{name}'", part),
        )
        inputs += found.inputs
        smallest = float(np.minimum(smallest, found.smallest_margin))
        rows.append((name, f"{found.inputs:,}", f"{found.wrong:,}", f"{found.smallest_margin:.3f}"))
        if found.wrong:
            failed.append(name)
    talk.clear()
    terminal.write(terminal.table(rows, right=(1, 2, 3)) + "\n")
    seconds = time.monotonic() - began
    if failed:
        _tell_weakest(verification.weakest(template_sets(group)[failed[0]], unit.params[failed[0]]))
        _search_operands(unit)
        return None
    terminal.prose(
        f"Proved in {seconds:.1f} s: each network gives the right answer on every input it can receive, {inputs:,} in "
        f"all, smallest margin {terminal.format_margin(smallest, digits=3)}, and {schedules} schedules (4 to 64 "
        "bits, both instruction sets) compose them to subtraction and branch; docs/verification.md has the argument."
    )
    return {"operands": "every input of every network", "cases": inputs, "smallest_margin": smallest}


def _tell_weakest(found: Weakest) -> None:
    matched = ", ".join("-" if family < 0 else str(family) for family in found.families)
    terminal.write(
        f"FAILED: '{found.network}' answers {found.value} for output {found.output} at position {found.position} "
        f"(prediction {found.prediction:.4f}, threshold {found.threshold:.4f}), and {1 - found.value} is right,\n"
        f"  where the templates matched at the positions of the group are of the families {matched}\n"
    )


def _search_operands(unit: Unit) -> None:
    """Operands that show the failure, if a sample finds some."""
    from learned_units import verification

    plan = verification.plan(unit, SEARCHED_CASES)
    verification.forget(plan)
    _, example = verification.verify(unit, plan)
    if example is None:
        terminal.write(f"  {SEARCHED_CASES:,} pairs of operands show nothing of it\n")
    else:
        _tell(example, plan)
    verification.forget(plan)


# --- pairs of operands ------------------------------------------------------------------------------------------------


def _run_pairs(
    unit: Unit, paper: int | None, options: argparse.Namespace, talk: Talk
) -> tuple[dict[str, Any] | None, Counterexample | None, str]:
    """Run a plan, from where it was left. The claim, a counterexample, and the coverage in words.

    paper: the group of a unit in the paper's form, one network for the whole word; None for other units.
    """
    from learned_units import verification

    width, cases = unit.word_bits, options.cases
    if cases is None and paper is None and width > SMALL:
        cases = SAMPLED_CASES
    with stated_by_user():
        plan = verification.plan(unit, cases, options.seed, classes=paper is not None)
    if options.restart:
        verification.forget(plan)
    if cases is None and paper is not None and not _select_is_right(unit, paper, talk):
        return None, None, ""
    before = verification.finished(plan)
    if before.shards:
        talk.say(f"going on from {_coverage(plan, before)}")
    began = time.monotonic()
    try:
        covered, example = verification.verify(unit, plan, most_shards=options.shards, progress=talk.progress)
    except KeyboardInterrupt:
        talk.clear()
        talk.say(
            f"finished so far: {_coverage(plan, verification.finished(plan))}; the same command goes on from there"
        )
        raise
    talk.clear()
    if example is not None:
        _tell(example, plan)
        return None, example, ""
    said = _coverage(plan, covered)
    terminal.write(
        f"{unit.name}, {width}-bit {unit.isa}: {plan.operands}: {said}, all right, smallest margin "
        f"{terminal.format_margin(covered.smallest_margin, digits=3)}, {time.monotonic() - began:.1f} s\n"
    )
    if covered.shards < plan.shards:
        talk.say("the same command goes on from there")
    elif plan.operands == verification.SAMPLED:
        terminal.write(f"a sample (seed {plan.seed}), and no proof\n")
    return verification.as_manifest(plan, covered), None, said


def _select_is_right(unit: Unit, group: int, talk: Talk) -> bool:
    """The networks whose inputs operands alone do not decide: `select` on every target, `any` on everything."""
    from learned_units.ntk import verification

    right = True
    for name, found in verification.enumerate_word_wide(unit.params, group, talk.progress).items():
        talk.clear()
        terminal.write(
            f"'{name}': {found.inputs:,} inputs, all it can receive; smallest margin {found.smallest_margin:.3f}\n"
        )
        if found.wrong:
            terminal.write(f"FAILED: '{name}' is wrong on {found.wrong:,} of them\n")
            right = False
    return right


def _coverage(plan: Plan, covered) -> str:
    shards = f"{covered.shards:,} of {plan.shards:,} shards"
    part = f", {covered.shards / plan.shards:.2%}" if covered.shards < plan.shards else ""
    return f"{shards}{part}, {covered.cases:,} cases"


def _claim_name(claim: dict[str, Any]) -> str:
    """What a later claim of the same kind replaces."""
    if "word_bits" not in claim:
        return "proof"
    return f"{claim['operands']}, {claim['word_bits']}-bit {claim['isa']}, seed {claim['seed']}"


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
            f"{decision.prediction:.4f}, threshold {decision.threshold:.4f}, {decision.matched} templates matched\n"
        )
