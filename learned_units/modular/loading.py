"""The modular unit by width, instruction set and kind of weights: how they are made, and what is learned in them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from learned_units.modular import experts, training
from learned_units.modular.network import VERSION, Verification, every_input, make_network, verify
from learned_units.modular.unit import COEFFICIENTS, DIGIT_BITS, MODULUS, ModularSpec
from learned_units.store import Manifest, Progress, WeightsError, plain
from learned_units.unit import EVERY_INPUT, Scope, Unit
from learned_units.weights import recipes as stored
from learned_units.weights.recipes import Fields, Made, Recipe, Report, Tensors

WEIGHTS = ("grokked", "analytic")
UNITS = 256
FRACTION = 0.5  # of the table of a - b, trained on
MARGIN_FLOOR = 0.25  # of the smallest margin over the whole table: room for any order of summation, and to spare
SEEDS_TRIED = 8

GLUE = "digit slicing, readings of the one-hot output, borrow threading, zero test, select"
GROKKED = Scope(
    sentence=(
        "One two-layer network with quadratic activation, trained by gradient descent on half of the table of a - b "
        "modulo 32 until it was right on all of it (grokked), computes every digit of the difference in base 16 in two "
        "evaluations. The digit, its borrow and the sign are sums over the network's one-hot output. Cutting words "
        "into digits, handing on the borrow, telling a difference of 0 from its bits (for subleq) and choosing the "
        "next pc by the decision are not learned."
    ),
    difference="learned",
    decision="learned",
    select="native",
    glue=GLUE,
    step_kind="learned",
)
ANALYTIC = Scope(
    sentence=(
        "The same network with weights that were written down, not trained: cosines of random phases, a draw that was "
        "checked on every input. Cutting words into digits, handing on the borrow, telling a difference of 0 from "
        "its bits (for subleq) and choosing the next pc by the decision are native."
    ),
    difference="analytic",
    decision="analytic",
    select="native",
    glue=GLUE,
    step_kind="analytic",
)


@dataclass(frozen=True, kw_only=True)
class GrokkedManifest(Manifest):
    """The manifest of the grokked expert."""

    units: int
    epochs: int
    held_out_right_after_epochs: int
    train_inputs: int  # of the table of a - b
    unit_inputs: int  # of it, those that the unit can ask
    unit_inputs_held_out: int  # of these, those that were never trained on
    nominal: float  # the margin of an output that is as it should be


def load(word_bits: int, isa: str, seed: int, progress: Progress | None, weights: str | None = None) -> Unit:
    """The unit, on grokked weights unless analytic ones are asked for.

    Raises ValueError for another kind of weights, WeightsError if there are no acceptable ones.
    """
    spec = ModularSpec(word_bits, isa)
    if _checked(weights) == "analytic":
        expert = experts.addition(MODULUS, COEFFICIENTS, units=UNITS, floor=MARGIN_FLOOR, seed=seed)
        detail = f"one analytic expert of {UNITS} units, {EVERY_INPUT}"
        return Unit("modular", spec, expert.network, ANALYTIC, seed, detail)
    tensors, manifest = stored.obtain(recipe(word_bits, isa, seed), progress)
    network = make_network(tensors["inner"], tensors["outer"], manifest.nominal)
    detail = f"one grokked expert of {manifest.units} units, {EVERY_INPUT}"
    return Unit("modular", spec, network, GROKKED, manifest.seed_used, detail, manifest.tensor_hash, manifest)


def recipe(word_bits: int, isa: str, seed: int, weights: str | None = None) -> Recipe[GrokkedManifest]:
    """The grokked weights, the same for every width and instruction set. Raises ValueError for analytic ones."""
    del word_bits, isa
    if _checked(weights) == "analytic":
        raise ValueError("analytic weights are written down, not trained")
    constants = (VERSION, MODULUS, COEFFICIENTS, UNITS, FRACTION, MARGIN_FLOOR, training.constants())
    design = hashlib.sha256(repr(constants).encode()).hexdigest()[:16]
    expected = {"unit": "modular", "seed": seed, "design": design}
    return Recipe(
        GrokkedManifest,
        f"modular-seed{seed}",
        expected,
        functools.partial(make, seed),
        check,
        report,
        prove,
        stored.train_command("modular", seed=seed or None),
        MARGIN_FLOOR,
    )


def recipe_of(written: Mapping[str, Any]) -> Recipe[GrokkedManifest]:
    """The recipe of stored weights. Raises KeyError for a manifest that cannot be of this unit."""
    return recipe(0, "sbn", written["seed"])


def make(seed: int, progress: Progress) -> Made:
    """Train the expert, with the next seed where one does not reach the margin. Raises WeightsError if none does."""
    a, b = np.indices((MODULUS, MODULUS))
    table = (a - b) % MODULUS
    for tried in range(seed, seed + SEEDS_TRIED):

        def report(epoch: int, accuracy: float) -> None:
            what = f"training the expert for a - b modulo {MODULUS}: epoch {epoch}, held out {accuracy:.0%} right"
            progress(what, epoch / training.MOST_EPOCHS)

        trained = training.train(table, UNITS, FRACTION, tried, MARGIN_FLOOR, progress=report)
        network = make_network(trained.inner, trained.outer)
        found = verify(network, every_input(MODULUS, 2), table.reshape(-1))
        if found.smallest_margin >= MARGIN_FLOOR:
            right_at = trained.curve.epoch[trained.curve.held_out_accuracy == 1]
            needed = needed_inputs().reshape(-1)
            fields = {
                "seed_used": tried,
                "units": UNITS,
                "epochs": trained.epochs,
                "held_out_right_after_epochs": int(right_at[0]),
                "train_inputs": int(trained.in_training.sum()),
                "unit_inputs": int(needed.sum()),
                "unit_inputs_held_out": int((needed & ~trained.in_training).sum()),
                "nominal": found.nominal,
                "verified": _verified(found),
            }
            return Made({"inner": trained.inner, "outer": trained.outer}, fields)
    raise WeightsError(f"no seed from {seed} to {seed + SEEDS_TRIED - 1} reached a margin of {MARGIN_FLOOR}")


def prove(tensors: Tensors, manifest: GrokkedManifest, progress: Progress) -> Fields:
    """Run a stored expert on its whole table. Raises WeightsError if it does not reach the margin here."""
    del manifest
    progress(f"proving the expert for a - b modulo {MODULUS}", 0.0)
    a, b = np.indices((MODULUS, MODULUS))
    network = make_network(tensors["inner"], tensors["outer"])
    found = verify(network, every_input(MODULUS, 2), ((a - b) % MODULUS).reshape(-1))
    if not found.smallest_margin >= MARGIN_FLOOR:
        raise WeightsError(f"the expert's smallest margin here is {found.smallest_margin:.3f}, below {MARGIN_FLOOR}")
    return {"nominal": found.nominal, "verified": _verified(found)}


def _verified(found: Verification) -> Fields:
    return {"kind": "every input enumerated", "inputs": found.inputs, "smallest_margin": found.smallest_margin}


def needed_inputs() -> np.ndarray:
    """Which pairs of values the unit can give its expert, bool [32, 32]: two digits, or a first result and a borrow."""
    digits = 1 << DIGIT_BITS
    needed = np.zeros((MODULUS, MODULUS), bool)
    needed[:digits, :digits] = True
    results = (np.arange(digits)[:, None] - np.arange(digits)) % MODULUS
    needed[results, :2] = True
    return needed


def check(tensors: Tensors, manifest: GrokkedManifest) -> None:
    """Refuse tensors that are not such a network, or that do not claim what this program accepts (WeightsError)."""
    wanted = {"inner": (2, MODULUS, UNITS), "outer": (UNITS, MODULUS)}
    for name, shape in wanted.items():
        if name not in tensors:
            raise WeightsError(f"the weights '{name}' are missing")
        if tensors[name].shape != shape or tensors[name].dtype != np.float32:
            raise WeightsError(f"the weights '{name}' are {tensors[name].dtype} {tensors[name].shape}, not {shape}")
        if not np.isfinite(tensors[name]).all():
            raise WeightsError(f"the weights '{name}' are not all finite")
    found = manifest.verified
    if found.inputs is None or found.smallest_margin is None or not found.smallest_margin >= MARGIN_FLOOR:
        raise WeightsError(f"the manifest claims too little: {plain(found)}")


def report(manifest: GrokkedManifest) -> Report:
    """What is known of grokked weights."""
    found = manifest.verified
    heading = ("expert", "units", "trained on", "epochs", "held out right after", "inputs checked", "smallest margin")
    row = (
        f"a - b mod {MODULUS}",
        str(manifest.units),
        f"{manifest.train_inputs} of {found.inputs:,}",
        str(manifest.epochs),
        f"{manifest.held_out_right_after_epochs} epochs",
        f"{found.inputs:,}, all",
        f"{found.smallest_margin:.2f}",
    )
    return Report(
        subject="any word width",
        sizes=f"{manifest.units} units",
        verified=(
            f"{found.kind}: {found.inputs:,} inputs, smallest margin {found.smallest_margin:.2f}; of the "
            f"{manifest.unit_inputs} the unit can ask, {manifest.unit_inputs_held_out} were never trained on"
        ),
        table=[heading, row],
    )


def _checked(weights: str | None) -> str:
    if weights is None:
        return WEIGHTS[0]
    if weights not in WEIGHTS:
        raise ValueError(f"unknown weights '{weights}' (weights: {', '.join(WEIGHTS)})")
    return weights
