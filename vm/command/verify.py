"""`sbn verify`: a unit proved on every input its networks can receive, or run on pairs of operands against integers."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vm.console import chosen_unit, jax_setup, outputs, picture, terminal
from vm.console.launch import FAILED, UsageError, stated_by_user
from vm.console.terminal import Talk
from vm.console.verifying import (
    Failed,
    prove_every_length,
    run_pairs,
    run_word_form,
    search_operands,
    tell_weakest,
    too_low,
)
from vm.margin import format_margin

if TYPE_CHECKING:
    import numpy as np

    from learned_units.circuits.literals import LiteralSet
    from learned_units.circuits.templates import TemplateSet
    from learned_units.proof.enumeration import Enumeration
    from learned_units.unit import Unit
    from learned_units.units.ntk import WiredSpec
    from learned_units.weights.recipes import Recipe
    from vm.console.picture import Target

    Held = tuple[dict[str, np.ndarray], dict[str, Any] | None]  # tensors of a weights file; its manifest, if any

ARGUMENTS = {"ntk-bits": "docs/ntk_bits.md"}  # of units that are not argued for in docs/verification.md
NOT_FOR_WHOLE = ("weights", "cases", "shards", "shard", "group", "width", "plot")


def run(options: argparse.Namespace) -> int:
    """Exit code 0 if nothing wrong was found, 1 with a counterexample otherwise."""
    talk = Talk(options.quiet)
    target = picture.requested("--plot", options.plot, options)
    outputs.check({"--plot": options.plot}, {"the weights": options.weights})
    jax_setup.prepare()
    if options.cluster is not None:
        jax_setup.join(options.cluster)
    if options.whole:
        return _run_whole(options, talk)
    from learned_units import processes, store
    from learned_units.catalog import DEFAULT_UNIT, UNITS
    from learned_units.neural_gpu.one_sided_loading import OneSidedSpec
    from learned_units.proof import word_inputs
    from learned_units.units import ntk
    from learned_units.units.ntk import WiredSpec
    from learned_units.weights import ensembles

    chosen_unit.settle_group(options, options.width or 16)
    name = options.unit or DEFAULT_UNIT
    held = None
    with stated_by_user():
        group = ntk.checked_group(options.group) if name in UNITS and "group" in UNITS[name].options else None
        if name == "ntk" and options.weights not in (None, ntk.FLOAT32, *ntk.OTHER_WEIGHTS):
            held = store.read_any(Path(options.weights))
            group = ntk.checked_group(_group_stated(options, held))
    width = options.width or (16 if group is None or group <= ensembles.ENUMERABLE_GROUP else group)
    word = options.cases is None and group is not None and group == width > ensembles.ENUMERABLE_GROUP
    if word:
        with stated_by_user():
            word_inputs.check(width)  # before anything is trained
    if held is not None and group is not None:
        unit, path = _unit_from(held, group, options, width)
        recipe = _recipe_of(unit, options, group, None)
    else:
        unit = chosen_unit.load(options, width, options.isa, talk)
        recipe = _recipe_of(unit, options, options.group, options.weights)
        path = recipe and recipe.path
    floor = recipe and recipe.floor
    spec = unit.spec if isinstance(unit.spec, WiredSpec) and unit.spec.enumerable and options.cases is None else None
    every_length = isinstance(unit.spec, OneSidedSpec) and options.cases is None
    for given in ("shards", "shard"):
        if (spec is not None or every_length) and getattr(options, given) is not None:
            raise UsageError(
                f"--{given} is for what is run shard by shard; the networks of this unit are proved all at once"
            )
    if target is not None and spec is None:
        raise UsageError("--plot draws the margins on every input; what is verified here has too many to enumerate")
    try:
        if spec is not None:
            processes.agree({"unit": unit.name, "weights": unit.tensor_hash, "spec": repr(spec)})
            if target is not None:
                _draw(unit, spec, floor, target, talk)
            claim, said = _prove(unit, spec, floor, talk), "every input enumerated"
        elif every_length:
            claim, said = prove_every_length(unit, talk), "every length"
        else:
            done = run_word_form(unit, options, talk) if word else run_pairs(unit, floor, options, talk)
            if done is None:
                return 0
            claim, said = done
    except Failed as failed:
        if unit.tensor_hash is not None:
            _refute(path, unit.tensor_hash, failed, talk)
        return FAILED
    if path is not None and unit.tensor_hash is not None:
        _record(path, unit.tensor_hash, claim, said, talk)
    return 0


def _recipe_of(unit: Unit, options: argparse.Namespace, group: int | None, weights: str | None) -> Recipe | None:
    """How a unit's weights are made and accepted, None where it has none."""
    from learned_units import catalog

    if unit.tensor_hash is None:
        return None
    return catalog.recipe(unit.name, unit.word_bits, unit.isa, options.seed, group=group, weights=weights)


def _group_stated(options: argparse.Namespace, held: Held) -> int | None:
    """The group that the manifest of given weights states, or the option. Raises UsageError where they differ."""
    manifest = held[1]
    if manifest is None or "group" not in manifest:
        return options.group
    if options.group not in (None, manifest["group"]):
        raise UsageError(f"{options.weights} holds networks for groups of {manifest['group']}, not {options.group}")
    return manifest["group"]


def _unit_from(held: Held, group: int, options: argparse.Namespace, width: int) -> tuple[Unit, Path | None]:
    """A unit with the weights in --weights, whoever made them; the file too, if it has a manifest to record in."""
    from learned_units import bits
    from learned_units.catalog import ISAS, UNITS
    from learned_units.store import WeightsError, tensor_hash
    from learned_units.unit import Unit
    from learned_units.units import ntk
    from learned_units.units.ntk import NtkSpec

    path, (tensors, manifest) = Path(options.weights), held
    if options.isa not in ISAS or not bits.MIN_WORD_BITS <= width <= bits.MAX_WORD_BITS:
        raise UsageError(f"words have {bits.MIN_WORD_BITS} to {bits.MAX_WORD_BITS} bits, not {width}")
    try:
        params = ntk.plan(group, width).params(tensors)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    spec, known = NtkSpec(width, options.isa, group), tensor_hash(tensors)
    unit = Unit("ntk", spec, params, UNITS["ntk"].scope, detail=str(path), tensor_hash=known)
    return unit, None if manifest is None else path


# --- the proof --------------------------------------------------------------------------------------------------------


def _prove(unit: Unit, spec: WiredSpec, floor: float | None, talk: Talk) -> dict[str, Any]:
    """Every input of every network, and the composition at every width. The claim; raises Failed."""
    began = time.monotonic()
    schedules = spec.check_composition()
    found, failed = _enumerate(spec.sets, unit.params, floor, talk)
    if failed is not None:
        if failed.wrong:
            search_operands(unit)
        raise failed
    claim = _claim(found.values())
    terminal.prose(
        f"Proved in {time.monotonic() - began:.1f} s: each network gives the right answer on every input it can "
        f"receive, {claim['cases']:,} in all, smallest margin {format_margin(claim['smallest_margin'], 3)} "
        f"({_in_any_order(found, unit.params)}), and {schedules} schedules (4 to 64 bits, both instruction sets) "
        "compose them to subtraction and branch; "
        f"{ARGUMENTS.get(unit.name, 'docs/verification.md')} has the argument."
    )
    return claim


def _draw(unit: Unit, spec: WiredSpec, floor: float | None, target: Target, talk: Talk) -> None:
    """The margins on every input as a picture, also of weights that will fail; of several processes the first draws."""
    from learned_units import processes
    from vm.pictures import margins

    if processes.index() == 0:
        counted = margins.count(spec.sets, unit.params, talk.progress)
        talk.clear()
        target.write(margins.figure(counted, floor, target.size), talk)


def _enumerate(
    sets: Mapping[str, TemplateSet | LiteralSet], params: Mapping[str, Any], floor: float | None, talk: Talk
) -> tuple[dict[str, Enumeration], Failed | None]:
    """Every input of every network: a table of them, and what failed, which is told.

    floor: the smallest margin that suffices.
    """
    from learned_units.proof import enumeration

    found = {
        name: enumeration.enumerate_by_all(
            template_set,
            params[name],
            progress=lambda part, name=name: talk.progress(f"checking every input of '{name}'", part),
        )
        for name, template_set in sets.items()
    }
    talk.clear()
    rows = [("network", "inputs", "wrong", "smallest margin")]
    for name, each in found.items():
        rows.append((name, f"{each.inputs:,}", f"{each.wrong:,}", format_margin(each.smallest_margin, digits=3)))
    terminal.write_table(rows, right=(1, 2, 3))
    terminal.write("\n")
    for name, each in found.items():
        if each.wrong:
            tell_weakest(enumeration.weakest(sets[name], params[name]), sets[name])
            return found, Failed(f"'{name}' is wrong on {each.wrong:,} of its inputs", wrong=True, network=name)
    for name, each in found.items():
        low = too_low(each.smallest_margin, floor, f"'{name}': ")
        if low is not None:
            return found, Failed(low, network=name)
    return found, None


def _in_any_order(found: Mapping[str, Enumeration], params: Mapping[str, Any]) -> str:
    """What the order in which float32 sums are made can change of margins, in words."""
    from learned_units.proof import rounding

    taken = rounding.in_any_order({name: each.smallest_margin for name, each in found.items()}, params)
    if taken is None:
        return "as float32 sums are made here; for other orders this is no proof"
    return f"in another order of float32 sums, less by {format_margin(taken, 3)} at most"


def _claim(found: Iterable[Enumeration]) -> dict[str, Any]:
    """What the enumeration of some networks shows, for a manifest."""
    from learned_units.unit import weakness

    networks = list(found)
    smallest = float(min((each.smallest_margin for each in networks), key=weakness))
    cases = sum(each.inputs for each in networks)
    return {"operands": "every input of every network", "cases": cases, "smallest_margin": smallest}


def _run_whole(options: argparse.Namespace, talk: Talk) -> int:
    """Every input of the seven networks of the grouped whole machine; the claims are recorded with their two files."""
    from learned_units import catalog, processes
    from learned_units.circuits import machine_grouped
    from learned_units.proof import enumeration, whole_wiring
    from learned_units.weights import whole_grouped

    given = [name for name in NOT_FOR_WHOLE if getattr(options, name) is not None]
    if given or options.unit not in (None, "ntk"):
        raise UsageError(f"--{given[0] if given else 'unit'} is not for --whole")
    with stated_by_user():
        shared = catalog.recipe("ntk", seed=options.seed)
    assert shared is not None
    params, manifest = whole_grouped.obtain(options.seed, talk.progress)
    talk.clear()
    processes.agree({"own": manifest.tensor_hash, "shared": manifest.unit_tensor_hash})
    sets, own = machine_grouped.template_sets(), whole_grouped.own_sets()
    began = time.monotonic()
    enumeration.check_specifications(sets)
    sizes = whole_wiring.check_some(lambda part: talk.progress("checking how the passes are wired", part))
    own_recipe = whole_grouped.recipe(options.seed)
    found, failed = _enumerate(sets, params, own_recipe.floor, talk)
    if failed is not None:
        if failed.network in own:
            _refute(own_recipe.path, manifest.tensor_hash, failed, talk)
        else:
            _refute(shared.path, manifest.unit_tensor_hash, failed, talk)
        return FAILED
    claim = _claim(found.values())
    terminal.prose(
        f"Proved in {time.monotonic() - began:.1f} s: each network of the whole machine gives the right answer on "
        f"every input it can receive, {claim['cases']:,} in all, smallest margin "
        f"{format_margin(claim['smallest_margin'], 3)} ({_in_any_order(found, params)}); and the passes make one "
        f"instruction of them, for every memory, pc and fault bit, at {sizes} sizes from 3 cells of 4 bits to 256 of "
        "16, both instruction sets. Any other size is checked when it is loaded. docs/whole_machine.md has the "
        "argument."
    )
    shared_sets = [name for name in sets if name not in own]
    files = [
        (own_recipe.path, manifest.tensor_hash, list(own)),
        (shared.path, manifest.unit_tensor_hash, shared_sets),
    ]
    for path, known, networks in files:
        _record(path, known, _claim(found[each] for each in networks), ", ".join(networks), talk)
    return 0


def _record(path: Path, tensor_hash: str, claim: dict[str, Any], said: str, talk: Talk) -> None:
    """Write a claim into the manifest of the weights it is about; of several processes the first one does."""
    from learned_units import processes
    from learned_units.weights import recipes

    if processes.index() == 0:
        recipes.record(path, tensor_hash, _claim_name(claim), claim)
        talk.say(f"recorded with the weights ({said}): {path}")


def _refute(path: Path | None, tensor_hash: str, failed: Failed, talk: Talk) -> None:
    """Write down that weights failed; of several processes the first one does. path: a file that holds them."""
    from learned_units import processes
    from learned_units.weights import recipes

    if processes.index() == 0:
        recipes.refute(path, tensor_hash, str(failed))
        talk.say("recorded: these weights are refused from now on, until they are trained again")


def _claim_name(claim: dict[str, Any]) -> str:
    """What a later claim of the same kind replaces."""
    if "word_bits" not in claim:
        return "proof"
    seed = f", seed {claim['seed']}" if "seed" in claim else ""
    return f"{claim['operands']}, {claim['word_bits']}-bit {claim['isa']}{seed}"
