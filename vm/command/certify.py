"""`sbn certify`: how likely a unit is to be wrong anywhere in a run, and what that rests on."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from vm.console import chosen_unit, jax_setup, terminal
from vm.console.launch import UsageError
from vm.console.terminal import Talk
from vm.margin import format_margin

if TYPE_CHECKING:
    from learned_units.proof.certificate import Certificate, Readout
    from learned_units.unit import Unit

READOUTS: tuple[Readout, ...] = ("calibrated", "sign")


def run(options: argparse.Namespace) -> int:
    """Print what is known of the unit, then what a plain ensemble of the same networks would take."""
    if not 0 < options.delta < 1:
        raise UsageError(f"--delta is {options.delta}; it is a probability between 0 and 1")
    talk = Talk(options.quiet)
    jax_setup.prepare()
    from learned_units.proof import certificate
    from learned_units.units.ntk import NtkSpec

    unit = chosen_unit.load(options, options.width, options.isa, talk)
    certified = certificate.of_unit(unit, options.steps)
    if certified is None:
        raise UsageError(
            f"no bound is known for the unit '{unit.name}'; the NTK units have one: ntk, ntk-limit, ntk-bits"
        )
    bounded = isinstance(unit.spec, NtkSpec)
    if options.networks is not None and not bounded:
        raise UsageError(f"--networks is for the units ntk and ntk-limit; no bound is known for those of '{unit.name}'")
    if certified.kind == "estimate":
        certified = _measured(unit, options.steps, talk)
    _state(unit, certified, options.steps)
    terminal.flush()
    if bounded:
        _plain_ensembles(unit, options)
    return 0


def _state(unit: Unit, certified: Certificate, steps: int) -> None:
    """Write what is certified, what that covers and what it assumes."""
    seed = "" if unit.seed is None else f", seed {unit.seed}"
    what = {
        "exhaustive": (
            "failure",
            "0 for a run of any length, on any program, with these weights and this platform's float32: every input "
            "was tried",
        ),
        "algebraic": ("failure", "0 for a run of any length, on any program: closed form, nothing learned"),
        "estimate": ("ESTIMATE of failure", f"{certified.failure:.1e} for a run of {steps:,} steps"),
    }[certified.kind]
    scope = unit.scope
    parts = f"difference {scope.difference}, branch decision {scope.decision}, next pc {scope.select}"
    rows = [
        ("unit", f"{unit.name}, {unit.word_bits}-bit {unit.isa}{seed}: {unit.detail}"),
        ("parts", f"{parts}; native: {scope.glue}"),
        ("kind", certified.kind),
        what,
        ("covers", certified.covers),
        ("assumes", certified.assumes),
    ]
    if unit.tensor_hash is not None:
        rows.append(("weights", f"{unit.tensor_hash} (SHA-256)"))
    terminal.write_fields(rows)


def _measured(unit: Unit, steps: int, talk: Talk) -> Certificate:
    """The estimate from z of every output of every network, and the smallest margins found, both measured now."""
    from learned_units.circuits import subtract_branch
    from learned_units.proof import certificate, finite_width, search
    from learned_units.units.ntk import NtkSpec

    assert isinstance(unit.spec, NtkSpec)
    sets = subtract_branch.template_sets(unit.spec.group)
    measured = {}
    rows = [
        (
            "network",
            "smallest z",
            "largest error, half gaps",
            "states",
            "smallest margin found by search",
            "ESTIMATE of failure",
        )
    ]
    evaluations = 0
    loads = certificate.sampled_loads(unit)
    for load in loads:

        def report(part: float, name: str = load.network) -> None:
            talk.progress(f"measuring z of '{name}'", part)

        found = finite_width.measure(
            sets[load.network], unit.params[load.network], unit.word_bits, unit.spec.group, progress=report
        )
        measured[load.network] = found.z_of_output
        alone = certificate.estimate([load], measured, steps)

        def searching(margin: float, name: str = load.network) -> None:
            talk.progress(f"searching '{name}' for its smallest margin: {margin:.3f}", 0.0)

        lowest = search.smallest_margin(unit.spec, unit.params, load.network, progress=searching)
        evaluations += lowest.evaluations
        rows.append(
            (
                load.network,
                f"{found.z:.2f}",
                f"{found.largest_error:.2f}",
                f"{found.states:,}",
                format_margin(lowest.smallest_margin, digits=3),
                f"{alone.failure:.1e}",
            )
        )
    talk.clear()
    terminal.write_table(rows, right=(1, 2, 3, 4, 5))
    terminal.prose(
        f"The search is a greedy descent over operand bits, {search.STARTS} starts from seed {search.SEED}, "
        f"{evaluations:,} instructions; the smallest margin of all may be smaller still."
    )
    terminal.write("\n")
    return certificate.estimate(loads, measured, steps)


def _plain_ensembles(unit: Unit, options: argparse.Namespace) -> None:
    """The networks of this unit as plain ensembles: what they decide, and how many it takes, or how --networks fare."""
    from learned_units.circuits import subtract_branch
    from learned_units.proof import certificate
    from learned_units.units.ntk import NtkSpec

    assert isinstance(unit.spec, NtkSpec)
    group = unit.spec.group
    sets = subtract_branch.template_sets(group)
    whole = group >= unit.word_bits
    loads = certificate.loads(unit.spec)
    used = {load.network: sets[load.network] for load in loads}
    terminal.heading(
        "As plain ensembles (independent Gaussian starts, infinite width, trained to convergence) they would need:"
    )
    rows: list[tuple[str, ...]] = [("network", "k'", "n up to", "outputs", "evaluations a step", "decisions a step")]
    for load in loads:
        outputs = sum(number for _, number in load.outputs)
        cells = (load.templates, load.most_matched, outputs, load.evaluations, load.decisions)
        rows.append((load.network, *(f"{cell:,}" for cell in cells)))
    terminal.write_table(rows, right=(1, 2, 3, 4, 5))
    terminal.write("\n")
    of_run = options.steps * sum(load.decisions for load in loads)
    of_all = certificate.decisions_of_all_inputs(used, whole)
    rows = [("readout", "union over", "decisions", f"networks for delta = {options.delta:g}")]
    if options.networks is not None:
        rows[0] += (f"failure bound of {options.networks:,}",)

    def add(name: str, union: str, decisions: int, needed: int | None, bound: Callable[[int], float] | None) -> None:
        shown = f"{decisions:,}" if decisions < 1e15 else f"{decisions:.1e}"
        cells = [name, union, shown, "none suffices" if needed is None else f"{needed:,}"]
        if options.networks is not None:
            cells.append("-" if bound is None else _probability(bound(options.networks)))
        rows.append(tuple(cells))

    for readout in READOUTS:

        def anywhere(networks: int, readout: Readout = readout) -> float:
            return certificate.failure_bound_all_inputs(used, networks, readout, whole)

        def in_run(networks: int, readout: Readout = readout) -> float:
            return certificate.failure_bound(loads, networks, readout, options.steps)

        for union, decisions, bound in ((f"{options.steps:,} steps", of_run, in_run), ("all inputs", of_all, anywhere)):
            needed = certificate.networks_needed(bound, options.delta)
            add(f"{readout}, exact Gaussian", union, decisions, needed, bound)
    for union, decisions in ((f"{options.steps:,} steps", of_run), ("all inputs", of_all)):
        needed = certificate.paper_networks(loads, options.delta, decisions)
        add("sign, version 1's bound applied", union, decisions, needed, None)
    terminal.write_table(rows, right=(2, 3, 4))
    terminal.prose(
        "Probabilities over the draw of the networks, added up over decisions; the smaller one holds, because a run "
        "asks nothing that is not among all inputs. One antisymmetric network is, at infinite width, an ensemble of "
        "infinitely many: its variance over draws is 0."
    )


def _probability(bound: float) -> str:
    """A bound of 1 is none."""
    return f"{bound:.1e}" if bound < 1 else "none below 1"
