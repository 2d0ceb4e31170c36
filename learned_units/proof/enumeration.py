"""Proof by enumeration and composition that an NTK unit is exact.

1. *Enumeration.* Each network is run on every input it can receive; every output must stand on its side of its
   threshold, and so equal what the template set specifies ("a matched template asserts it"). `enumerate_inputs`.
2. *Specification.* What each template set specifies is what its name says, over every assignment of its lines:
   `check_specifications`.
3. *Composition.* With borrow_j the borrow out of bit j (0 below bit 0), the recurrence
   borrow_j = G_j or (P_j and borrow_(j - span)) holds after `first` with span 2, is kept by `prefix` with the span
   multiplied by RADIX, and gives d_j = x_j xor borrow_(j-1) in `difference` once no term is left out; then d and the
   branch decide pc. `check_schedule` checks the wiring and the spans of one width and instruction set.

Together: every word of every width, not a sample. The argument in full is in docs/verification.md.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from learned_units import bits, devices, processes
from learned_units.catalog import ISAS
from learned_units.circuits.literals import LiteralSet
from learned_units.circuits.passes import Pass, Prediction, Read, Spread
from learned_units.circuits.subtract_branch import (
    DIFFERENCE_TERMS,
    FIRST_SPAN,
    RADIX,
    any_group,
    schedule,
    template_sets,
)
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import predictor

BLOCK = 1 << 11  # inputs a device predicts at once: what they take fits the caches


# meaning(bits of the lines of one position, what the set says of its outputs) -> whether that is what it should say
Meaning = Callable[[Mapping[str, int], Mapping[str, bool]], bool]


class VerificationError(Exception):
    """A unit, a template set or a schedule is not exact. The message says where."""


@dataclass(frozen=True)
class Enumeration:
    """One network on every input it can receive, or on as many as it took to fall below a floor."""

    inputs: int
    wrong: int
    smallest_margin: float


@functools.partial(jax.jit, static_argnames=("template_set",))
def predict_inputs(params: Any, index: jax.Array, *, template_set: TemplateSet | LiteralSet) -> Prediction:
    """Many inputs, int8 [inputs, group] as in TemplateSet.reachable_inputs -> Prediction [inputs, output bits]."""

    positions = index.T[None]
    matched = tuple((positions == f).astype(jnp.float32) for f in range(template_set.choices))
    prediction = predictor.predict(template_set, params, matched)
    return Prediction(*(each.reshape(-1, len(index)).T for each in jnp.broadcast_arrays(*prediction)))


def enumerate_inputs(
    template_set: TemplateSet | LiteralSet,
    params: Any,
    *,
    inputs: np.ndarray | None = None,
    floor: float = -np.inf,
    block: int = BLOCK,
    progress: Callable[[float], None] | None = None,
) -> Enumeration:
    """Run a network on every input it can receive, in a shuffled order; stop early once a margin is below `floor`.

    inputs: those it can receive, int8 [inputs, group], where they are fewer than `TemplateSet.reachable_inputs`. block:
    how many a device predicts at once. A signed margin is (prediction - threshold) over the half gap, positive on the
    side the template set specifies.
    """
    inputs = _shuffled(template_set, inputs)
    return _count(template_set, params, inputs, devices.block_size(len(inputs), block), floor, progress)


def enumerate_by_all(
    template_set: TemplateSet | LiteralSet,
    params: Any,
    *,
    inputs: np.ndarray | None = None,
    progress: Callable[[float], None] | None = None,
) -> Enumeration:
    """`enumerate_inputs` to the end. Of several processes all must call it, and each runs every n-th block."""
    inputs = _shuffled(template_set, inputs)
    block = devices.block_size(len(inputs), BLOCK)
    blocks = [inputs[k * block : (k + 1) * block] for k in processes.mine(-(-len(inputs) // block))]
    found = _count(template_set, params, np.concatenate([inputs[:0], *blocks]), block, -np.inf, progress)
    each = [Enumeration(**told) for told in processes.gather(asdict(found))]
    smallest = float(np.min([one.smallest_margin for one in each]))  # a NaN stays
    return Enumeration(sum(one.inputs for one in each), sum(one.wrong for one in each), smallest)


def _shuffled(template_set: TemplateSet | LiteralSet, inputs: np.ndarray | None) -> np.ndarray:
    """Inputs, by default all a network can receive, in an order in which what is wrong shows soon."""
    inputs = template_set.reachable_inputs() if inputs is None else inputs
    return inputs[np.random.default_rng(0).permutation(len(inputs))]


def _count(
    template_set: TemplateSet | LiteralSet,
    params: Any,
    inputs: np.ndarray,
    block: int,
    floor: float,
    progress: Callable[[float], None] | None,
) -> Enumeration:
    """Inputs in order, up to the first block with a margin below the floor."""
    smallest, wrong, done = np.inf, 0, 0
    for given, _, margin in signed_margins(template_set, params, inputs, block):
        wrong += int((~(margin > 0)).any(1).sum())  # a NaN is wrong
        smallest = float(np.minimum(smallest, margin.min()))  # and stays
        done += len(given)
        if progress is not None:
            progress(done / len(inputs))
        if not smallest >= floor:  # a NaN stops here too
            break
    return Enumeration(done, wrong, smallest)


def signed_margins(
    template_set: TemplateSet | LiteralSet, params: Any, inputs: np.ndarray, block: int
) -> Iterator[tuple[np.ndarray, Prediction, np.ndarray]]:
    """Inputs, predictions and signed margins, float32 [inputs, output bits], block by block."""
    for given, prediction in devices.in_blocks(predict_inputs, params, inputs, block, template_set=template_set):
        side = np.where(template_set.specify(given), np.float32(1), np.float32(-1))
        yield given, prediction, side * ((prediction.value - prediction.threshold) / prediction.half_gap)


@dataclass(frozen=True)
class Weakest:
    """The output of a network furthest on the wrong side, and the input that puts it there."""

    network: str
    input: tuple[int, ...]  # as in reachable_inputs; `told` of the set puts it in words
    output: str
    position: int
    prediction: float
    threshold: float
    value: int  # what it answers


def weakest(template_set: TemplateSet | LiteralSet, params: Any, inputs: np.ndarray | None = None) -> Weakest:
    """The smallest margin of a network over inputs, by default all it can receive (a NaN counts as the smallest)."""
    inputs = template_set.reachable_inputs() if inputs is None else inputs
    found, smallest = None, np.inf
    for block, prediction, margin in signed_margins(
        template_set, params, inputs, devices.block_size(len(inputs), BLOCK)
    ):
        margin = np.where(np.isnan(margin), -np.inf, margin)
        if margin.min() < smallest:
            smallest = margin.min()
            case, place = np.unravel_index(margin.argmin(), margin.shape)
            output, position = divmod(int(place), 1 if template_set.pooled else template_set.group)
            value, threshold = float(prediction.value[case, place]), float(prediction.threshold[case, place])
            given, name = tuple(block[case].tolist()), template_set.outputs[output]
            found = Weakest(template_set.name, given, name, position, value, threshold, int(value > threshold))
    assert found is not None
    return found


def check_specifications(
    sets: Mapping[str, TemplateSet | LiteralSet], meanings: Mapping[str, Meaning] | None = None
) -> int:
    """Lemma 5: each set says what its name says, over every assignment of its lines. Returns their number.

    meanings: those of the template sets, unless others are given.

    Raises VerificationError naming the set and the assignment.
    """
    checked = 0
    for name, template_set in sets.items():
        meaning = (meanings or MEANINGS)[name]
        for values in itertools.product((0, 1), repeat=len(template_set.lines)):
            bit = dict(zip(template_set.lines, values, strict=True))
            if not template_set.allows(bit):
                continue
            said = template_set.says(bit)
            try:
                right = meaning(bit, said)
            except KeyError as missing:
                raise VerificationError(f"the {template_set.kind} '{name}' lacks {missing}") from None
            if not right:
                raise VerificationError(f"the {template_set.kind} '{name}' answers {said} on {bit}")
            checked += 1
    return checked


def _first_means(bit: Mapping[str, int], said: Mapping[str, bool]) -> bool:
    def borrow_out(borrow_in: int) -> bool:
        below = bit["a_below"] - bit["b_below"] - borrow_in < 0
        return bit["a"] - bit["b"] - below < 0

    recurrence = all(borrow_out(into) == (said["G"] or (said["P"] and bool(into))) for into in (0, 1))
    return recurrence and said["x"] == (bit["a"] != bit["b"]) and not (said["G"] and said["P"])


def _borrow(bit: Mapping[str, int], terms: int, borrow_in: bool) -> bool:
    for t in reversed(range(terms)):
        passed = bit[f"P{t}"] if t < terms - 1 else bit.get(f"P{t}", 0)
        borrow_in = bool(bit[f"G{t}"]) or (bool(passed) and borrow_in)
    return borrow_in


def _prefix_means(bit: Mapping[str, int], said: Mapping[str, bool]) -> bool:
    recurrence = all(_borrow(bit, RADIX, into) == (said["G"] or (said["P"] and into)) for into in (False, True))
    return recurrence and not (said["G"] and said["P"])


def _difference_means(bit: Mapping[str, int], said: Mapping[str, bool]) -> bool:
    return said["d"] == (bool(bit["x"]) != _borrow(bit, DIFFERENCE_TERMS, False))


def _select_means(bit: Mapping[str, int], said: Mapping[str, bool]) -> bool:
    return said["chosen"] == bool(bit["yes"] if bit["flag"] else bit["no"])


def _any_means(bit: Mapping[str, int], said: Mapping[str, bool]) -> bool:
    return said["some"] == bool(bit["bit"])  # at one position; pooled sets are the or of their positions


def _decode_means(bit: Mapping[str, int], said: Mapping[str, bool]) -> bool:
    value = sum(bit[f"bit{k}"] << k for k in range(len(bit)))
    return all(answer == (output == f"is{value}") for output, answer in said.items())


def _read_means(bit: Mapping[str, int], said: Mapping[str, bool]) -> bool:
    return said["bit"] == any(bit[f"row{k}"] and bit[f"cell{k}"] for k in range(len(bit) // 2))


MEANINGS: dict[str, Meaning] = {
    "first": _first_means,
    "prefix": _prefix_means,
    "difference": _difference_means,
    "select": _select_means,
    "any": _any_means,
    "decode": _decode_means,
    "read": _read_means,
}


def only(wires: Iterable[tuple[str, Any]], wanted: Mapping[str, Any]) -> bool:
    """Whether the wires of a pass are these and no more: an output can be written to a second field, too."""
    return set(wires) == set(wanted.items())


def check_schedule(word_bits: int, isa: str, group: int) -> None:
    """Lemma 7: the wiring of one width and instruction set. Raises VerificationError naming the pass."""
    check_steps(schedule(word_bits, isa, group), word_bits, isa, group, f"the {word_bits}-bit {isa} schedule")


def check_steps(given: Iterable[Pass], word_bits: int, isa: str, group: int, where: str) -> None:
    """The same of any passes; the error says where they stand."""
    steps = list(given)

    def require(condition: bool, what: str) -> None:
        if not condition:
            raise VerificationError(f"{where}: {what}")

    def following(network: str) -> Pass:
        require(bool(steps) and steps[0].network == network, f"lacks the pass '{network}'")
        return steps.pop(0)

    first = following("first")
    require(first.positions == word_bits, "does not begin with first on all bits")
    below = {"a": Read("a"), "b": Read("b"), "a_below": Read("a", 1), "b_below": Read("b", 1)}
    require(only(first.reads, below) and only(first.writes, {"x": "x", "G": "G", "P": "P"}), "miswires first")
    span = FIRST_SPAN
    while steps and steps[0].network == "prefix":
        step = steps.pop(0)
        wanted = {f"{name}{t}": Read(name, t * span) for t in range(RADIX) for name in "GP"}
        require(step.positions == word_bits and only(step.reads, wanted), f"miswires prefix at span {span}")
        require(only(step.writes, {"G": "G", "P": "P"}), f"loses the prefix at span {span}")
        span *= RADIX
    step = following("difference")
    wanted = {f"{name}{t}": Read(name, 1 + t * span) for t in range(DIFFERENCE_TERMS) for name in "GP"}
    wanted.pop(f"P{DIFFERENCE_TERMS - 1}")
    require(step.positions == word_bits, "does not compute every bit of d")
    require(only(step.reads, wanted | {"x": Read("x")}) and only(step.writes, {"d": "d"}), "miswires difference")
    require(DIFFERENCE_TERMS * span >= word_bits - 1, f"leaves borrows over {DIFFERENCE_TERMS * span} bits out")
    taken = Spread("d", word_bits - 1)
    if isa == "subleq":
        count, source = word_bits, "x"
        while steps and steps[0].network == "any":
            step = steps.pop(0)
            wired = only(step.reads, {"bit": Read(source)}) and only(step.writes, {"some": "nonzero"})
            require(wired and step.positions == count, f"miswires the zero flag over {count} bits")
            count, source = -(-count // any_group(group)), "nonzero"
        require(count == 1, f"leaves {count} zero flags")
        step = following("select")
        wanted = {"flag": Spread("nonzero", 0), "yes": Read("d", 1 - word_bits), "no": Read("one")}
        require(step.positions == 1 and only(step.reads, wanted), "miswires the branch decision")
        require(only(step.writes, {"chosen": "taken"}), "loses the branch decision")
        taken = Spread("taken", 0)
    step = following("select")
    wanted = {"flag": taken, "yes": Read("C"), "no": Read("F")}
    require(step.positions == word_bits and not steps, "does not end with one select of every bit of pc")
    require(only(step.reads, wanted) and only(step.writes, {"chosen": "pc"}), "miswires the next pc")


def check_composition(group: int) -> int:
    """Lemmas 5 and 7 at every width this group serves and for both instruction sets. Returns the number of schedules.

    A group that serves a whole word is checked at that width alone.
    """
    check_specifications(template_sets(group))
    widths = range(bits.MIN_WORD_BITS, bits.MAX_WORD_BITS + 1)
    for word_bits, isa in itertools.product(widths, ISAS):
        check_schedule(word_bits, isa, group)
    return len(widths) * len(ISAS)


def prove(
    params: Mapping[str, Any], group: int, progress: Callable[[str, float], None] | None = None
) -> dict[str, Enumeration]:
    """The whole proof for the parameters of one unit. Returns each network's enumeration.

    Raises VerificationError if any output of any input is on the wrong side, or the composition fails.
    """
    check_composition(group)
    found = {}
    for name, template_set in template_sets(group).items():
        report = None if progress is None else functools.partial(progress, f"checking every input of '{name}'")
        found[name] = enumerate_inputs(template_set, params[name], progress=report)
        if found[name].wrong or not found[name].smallest_margin > 0:
            raise VerificationError(
                f"the network '{name}' is wrong on {found[name].wrong:,} of {found[name].inputs:,} inputs "
                f"(smallest margin {found[name].smallest_margin:.2f})"
            )
    return found


def as_manifest(found: Mapping[str, Enumeration]) -> dict[str, Any]:
    """Enumerations as plain values for a manifest."""
    return {name: asdict(each) for name, each in found.items()}
