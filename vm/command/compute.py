"""`sbn compute`: addition, subtraction, multiplication and permutation by networks, outside the machine."""

from __future__ import annotations

import argparse
import json
import math
import operator
import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

from learned_units.catalog import DEFAULT_UNIT
from vm.console import chosen_unit, jax_setup, terminal
from vm.console.launch import FAILED, UsageError, stated_by_user
from vm.console.terminal import Talk
from vm.margin import format_margin

EXACT = {"add": operator.add, "subtract": operator.sub, "multiply": operator.mul}
SIGNS = {"add": "+", "subtract": "-", "multiply": "*"}
BITS = 16
MOST_OPERAND_BITS = 1_000_000
GROUPED, PAPER = "grouped", "paper"
FORMS = {chosen_unit.EIGHT: GROUPED, chosen_unit.WORD: PAPER}


class Question(NamedTuple):
    """What is to be computed. A permutation's bits are a number, the leftmost being the highest, and so are places."""

    task: str
    operands: tuple[int, ...]
    bits: int
    places: tuple[int, ...]
    form: str  # GROUPED or PAPER
    readout: str
    seed: int
    talk: Talk


class Answer(NamedTuple):
    """What a unit makes of it."""

    value: int
    kind: str  # of its evaluations: "learned", "closed-form" or "native"
    passes: int
    evaluations: int
    margin: float
    detail: str


def _native(question: Question) -> Answer:
    """Integer arithmetic: the control."""
    return Answer(exact(question), "native", 0, 0, math.inf, "integer arithmetic")


def _ntk(question: Question) -> Answer:
    if question.readout == "sign":
        raise UsageError(
            "--readout sign is for --unit ntk-limit: where one template is matched the limit is exactly 0, which a "
            "trained network meets but for its training error"
        )
    return _networks(question, "learned")


def _ntk_limit(question: Question) -> Answer:
    return _networks(question, "closed-form")


def _networks(question: Question, kind: str) -> Answer:
    """By NTK ensembles or their limit, in words wide enough for the exact result."""
    most = MOST_BITS[question.task]
    if question.bits > most:
        raise UsageError(
            f"the networks of '{question.task}' take operands of up to {most:,} bits, not {question.bits:,}"
        )
    jax_setup.prepare()
    from learned_units import compute as computing
    from learned_units.circuits.tasks import Task

    bits, modulus = _words(question)
    task = Task(question.task, question.form, bits, question.places)
    with stated_by_user():
        if kind == "learned":
            computer = computing.trained(task, question.seed, question.talk.progress)
        else:
            computer = computing.closed_form(task, question.readout)
    question.talk.clear()
    found = computer.compute(*([operand % (1 << bits)] for operand in question.operands))
    value = found.values[0]
    if modulus:
        value = (value + modulus // 2) % modulus - modulus // 2
    task = computer.algorithm
    return Answer(value, kind, task.passes, task.evaluations, float(found.margins[0]), computer.detail)


def _neural_gpu(question: Question) -> Answer:
    """By the Neural GPU, on tapes as long as the operands."""
    if question.task == "permute":
        raise UsageError("the unit neural-gpu has not learned permutations; ntk and ntk-limit take any")
    if question.form == PAPER or question.readout == "sign":
        raise UsageError("--group word and --readout are for the units ntk and ntk-limit")
    jax_setup.prepare()
    from learned_units.neural_gpu import long_arithmetic

    nets = long_arithmetic.kept_nets(question.seed, question.talk.progress)
    first, second = question.operands
    found = long_arithmetic.OPERATIONS[question.task](nets, first, second, question.talk.progress)
    question.talk.clear()
    return Answer(found.value, "learned", found.rounds, found.tapes, found.margin, long_arithmetic.DETAIL)


def _words(question: Question) -> tuple[int, int]:
    """Bits of the words to compute with, and the modulus of a two's complement result, 0 for one without a sign."""
    bits = question.bits
    signed = any(operand < 0 for operand in question.operands)
    if question.task == "subtract":
        width = bits + (2 if signed else 1)
        return width, 1 << width
    if not signed:
        return bits, 0
    width = 2 * bits if question.task == "multiply" else bits + 1
    return width, 1 << width


UNITS: Mapping[str, Callable[[Question], Answer]] = {
    "ntk": _ntk,
    "ntk-limit": _ntk_limit,
    "neural-gpu": _neural_gpu,
    "native": _native,
}
MOST_BITS = {"add": 1024, "subtract": 1024, "multiply": 64, "permute": 64}  # of an operand, by the networks of `ntk`


def run(options: argparse.Namespace) -> int:
    """Print the result and how it came about. Exit code 0 if it is that of exact arithmetic."""
    name = options.unit or DEFAULT_UNIT
    if name not in UNITS:
        raise UsageError(f"unknown unit '{name}' (units: {', '.join(UNITS)})")
    question = _question(options, Talk(options.quiet))
    answer = UNITS[name](question)
    right = exact(question)
    shown = _shower(question)
    if options.json:
        fields = {
            "task": question.task,
            "unit": name,
            "bits": question.bits,
            "group": next(group for group, form in FORMS.items() if form == question.form),
            "operands": [shown(operand) for operand in question.operands],
            "permutation": _from_left(question.places),
            "result": shown(answer.value),
            "exact": shown(right),
            "agrees": answer.value == right,
            "passes": answer.passes,
            "evaluations": answer.evaluations,
            "margin": answer.margin if math.isfinite(answer.margin) else None,
            "kind": answer.kind,
            "networks": answer.detail,
        }
        terminal.write(json.dumps(fields) + "\n")
    else:
        terminal.write(_in_words(question, name, answer, right, shown))
    return 0 if answer.value == right else FAILED


def exact(question: Question) -> int:
    """What exact arithmetic makes of it."""
    if question.task == "permute":
        (given,) = question.operands
        return sum((given >> bit & 1) << place for bit, place in enumerate(question.places))
    return EXACT[question.task](*question.operands)


def _in_words(question: Question, unit: str, answer: Answer, right: int, shown: Callable[[int], int | str]) -> str:
    if question.task == "permute":
        asked = f"{shown(question.operands[0])} permuted by {','.join(map(str, _from_left(question.places)))}"
    else:
        asked = f" {SIGNS[question.task]} ".join(str(operand) for operand in question.operands)
    agreement = "exact arithmetic agrees"
    if answer.value != right:
        agreement = f"exact arithmetic DISAGREES: {shown(right)}"
    first = f"{asked} = {shown(answer.value)} ({unit}, operands of {question.bits} bits); {agreement}\n"
    if answer.evaluations == 0:
        return first + "nothing is predicted in native arithmetic\n"
    passes = f"{answer.passes:,} pass{'' if answer.passes == 1 else 'es'}"
    return first + (
        f"{passes}, {answer.evaluations:,} {answer.kind} network evaluation{'' if answer.evaluations == 1 else 's'}, "
        f"smallest margin {format_margin(answer.margin, digits=3)}; {answer.detail}\n"
    )


def _shower(question: Question) -> Callable[[int], int | str]:
    """How operands and results are shown: as numbers, or as strings of bits."""
    if question.task != "permute":
        return lambda value: value
    return lambda value: f"{value:0{question.bits}b}"


def _question(options: argparse.Namespace, talk: Talk) -> Question:
    """The arguments, checked."""
    if options.task == "permute":
        bits, value = _bit_string(options.first)
        if options.bits not in (None, bits):
            raise UsageError(f"{options.first} has {bits} bits, not the {options.bits} of --bits")
        # written from the left, computed from the lowest bit
        places = tuple(bits - 1 - place for place in reversed(_permutation(options.second, bits)))
        operands: tuple[int, ...] = (value,)
    else:
        bits, places = options.bits or BITS, ()
        if bits > MOST_OPERAND_BITS:
            raise UsageError(f"operands have up to {MOST_OPERAND_BITS:,} bits, not {bits:,}")
        operands = tuple(_number(text, bits) for text in (options.first, options.second))
    form = chosen_unit.form_of_group(options, FORMS, default=GROUPED) or GROUPED
    if options.task == "subtract" and form == PAPER:
        raise UsageError("--group word is for permute, add and multiply; the paper subtracts in its SBN instruction")
    return Question(options.task, operands, bits, places, form, options.readout, options.seed, talk)


def _number(text: str, bits: int) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        raise UsageError(f"'{text}' is not a number (such as 5, -5, 0x1F or 0b101)") from None
    low, high = -(1 << (bits - 1)), (1 << bits) - 1
    if not low <= value <= high:
        raise UsageError(f"{text} does not fit {bits} bits ({low} .. {high}); --bits N allows longer operands")
    return value


def _bit_string(text: str) -> tuple[int, int]:
    """Number of bits, and their value with the leftmost the highest."""
    digits = text.replace("_", "")
    base, each = (16, 4) if digits[:2].lower() == "0x" else (2, 1)
    digits = digits[2:] if digits[:2].lower() in ("0x", "0b") else digits
    try:
        value = int(digits, base)
    except ValueError:
        value = -1
    if value < 0 or not digits.isalnum():
        raise UsageError(f"'{text}' is not a string of bits (such as 10110, or 0x2C with four bits per digit)")
    return len(digits) * each, value


def _permutation(text: str, bits: int) -> list[int]:
    """The place each bit goes to, both counted from 0 at the left."""
    name, _, rest = text.partition(":")
    if text == "reverse":
        return [bits - 1 - bit for bit in range(bits)]
    try:
        if name == "rotate":
            return [(bit + int(rest)) % bits for bit in range(bits)]
        if name == "random":
            places = list(range(bits))
            random.Random(int(rest)).shuffle(places)
            return places
        places = [int(place) for place in text.split(",")]
    except ValueError:
        raise UsageError(f"'{text}' is not a permutation: write 2,0,1 or reverse, rotate:K, random:SEED") from None
    if len(places) != bits:
        raise UsageError(f"the permutation has {len(places)} numbers for {bits} bits")
    if sorted(places) != list(range(bits)):
        missing = min(set(range(bits)) - set(places))
        raise UsageError(f"the permutation must name each of 0 .. {bits - 1} once; {missing} is missing")
    return places


def _from_left(places: tuple[int, ...]) -> list[int]:
    """Places as they are written: both counted from the left."""
    return [len(places) - 1 - place for place in reversed(places)]
