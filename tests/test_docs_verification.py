"""The argument on verification: the tests it names are there, and the step it makes by induction holds."""

import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from marks import slow

import vm
from learned_units.circuits.passes import Prediction, run_pass, written_fields
from learned_units.circuits.subtract_branch import FIRST_SPAN, RADIX, schedule, template_sets
from learned_units.proof import operands

ROOT = Path(vm.__file__).resolve().parent.parent


def test_every_test_named_by_the_argument_exists():
    text = (ROOT / "docs/verification.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    there = set()
    for path in (ROOT / "tests").glob("test_*.py"):
        there |= set(re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert len(named) > 25
    assert named <= there, sorted(named - there)
    for paragraph in re.findall(r"^\d\. \*\*.*?(?=^\d\. \*\*|^Lemmas)", text, flags=re.MULTILINE | re.DOTALL):
        assert "`test_" in paragraph, paragraph


def test_the_argument_states_the_networks_as_they_are():
    """Templates at 8 positions and reachable inputs of each network, as in the chapter's table."""
    text = (ROOT / "docs/verification.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([\d,]+) \| (?:\S+ = )?([\d,]+) \|$", text, flags=re.MULTILINE)
    found = {name: (each.size, len(each.reachable_inputs())) for name, each in template_sets(8).items()}
    assert {name: tuple(int(part.replace(",", "")) for part in numbers) for name, *numbers in rows} == found


def by_specification(sets):
    """A predictor that says 1 where a matched template asserts the output, with the threshold at one half."""

    def predict(network: str, matched) -> Prediction:
        asserted = jnp.einsum("fgpn,fo->gopn", jnp.stack(matched), sets[network].assertions())
        half = jnp.full((1, 1, 1, 1), 0.5, jnp.float32)
        return Prediction((asserted > 0).astype(jnp.float32), half, half)

    return predict


@pytest.mark.parametrize("word_bits", [4, *slow(5, 6, 17, 18, 40, 64)])
def test_after_every_pass_a_borrow_is_generated_or_passed_on(word_bits):
    """On all pairs of up to 6 bits, on hard ones above."""
    if word_bits <= 6:
        every = np.arange(1 << word_bits, dtype=np.uint64)
        minuend, subtrahend = (each.reshape(-1) for each in np.meshgrid(every, every))
    else:
        minuend, subtrahend, *_ = operands.adversarial(np.random.default_rng(word_bits), 2000, word_bits)
    place = np.arange(word_bits, dtype=np.uint64)[:, None]
    a, b = ((word[None] >> place & np.uint64(1)).astype(np.float32) for word in (minuend, subtrahend))
    # the borrow out of bit j: the low j + 1 bits of the minuend are less than those of the subtrahend
    low = np.uint64(2**64 - 1) >> (np.uint64(63) - place)
    borrow = (minuend[None] & low) < (subtrahend[None] & low)
    sets = template_sets(8)
    fields, span = {"a": jnp.asarray(a), "b": jnp.asarray(b)}, FIRST_SPAN
    checked = 0
    for step in schedule(word_bits, "sbn", 8):
        if step.network == "select":
            break
        trace = run_pass(step, sets[step.network], fields, by_specification(sets))
        fields |= written_fields(step, sets[step.network], trace)
        if step.network == "difference":
            below = np.pad(borrow, ((1, 0), (0, 0)))[:word_bits]
            assert ((np.asarray(fields["d"]) > 0) == ((a != b) ^ below)).all()
            break
        span = span * RADIX if step.network == "prefix" else span
        generated, passed = (np.asarray(fields[name]) > 0 for name in "GP")
        entering = np.pad(borrow, ((span, 0), (0, 0)))[:word_bits]
        assert (borrow == generated | (passed & entering)).all()
        assert not (generated & passed).any()
        checked += 1
    assert checked >= 1
