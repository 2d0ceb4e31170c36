"""The unit ntk-bits: what its networks are given and taught, that they are right, and that this can fail."""

import dataclasses
import itertools
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exactness import ISAS
from marks import slow

import vm
from learned_units import catalog, store
from learned_units.circuits import majorities
from learned_units.circuits.literals import LiteralSet
from learned_units.circuits.passes import Pass, Read, Spread, run_schedule
from learned_units.circuits.subtract_branch import input_fields
from learned_units.circuits.templates import Family
from learned_units.experiments import controls_bits
from learned_units.networks import kernel, literals, predictor, training, two_layer
from learned_units.proof import enumeration
from learned_units.proof import majorities as proof
from learned_units.proof.enumeration import VerificationError
from learned_units.weights import recipes

SETS = majorities.literal_sets()
ROOT = Path(vm.__file__).resolve().parent.parent
every_set = pytest.mark.parametrize("name", SETS)


@pytest.fixture(scope="module")
def unit(unit_of):
    return unit_of("ntk-bits")


@pytest.fixture(scope="module")
def stored(unit):
    """Inner and outer weights of each network as they are stored."""
    recipe = catalog.recipe("ntk-bits")
    assert recipe is not None
    tensors, _ = recipes.obtain(recipe, None)
    return {name: (tensors[f"{name}.inner"], tensors[f"{name}.outer"]) for name in SETS}


# --- what the networks are given and taught ---------------------------------------------------------------------------


def test_there_are_120_examples_and_11681_inputs():
    assert {name: (each.size, len(each.reachable_inputs())) for name, each in SETS.items()} == {
        "borrow": (16, 256),
        "differ": (16, 256),
        "prefix": (32, 6561),
        "gate": (24, 4096),
        "either": (16, 256),
        "any": (16, 256),
    }


@every_set
def test_an_example_is_one_literal_and_in_differ_two(name):
    """Unit vectors, each literal in one example or, of `differ`, in two; its labels say nothing of other positions."""
    inputs, labels = SETS[name].examples(), SETS[name].labels()
    assert (inputs >= 0).all() and np.allclose((inputs**2).sum(1), 1)
    assert set((inputs > 0).sum(1).tolist()) == ({2} if name == "differ" else {1})
    assert set((inputs > 0).sum(0).tolist()) == ({2} if name == "differ" else {1})
    assert inputs.shape == (SETS[name].size, SETS[name].input_bits) and set(np.unique(labels)) == {0, 1}
    asserted = labels.reshape(len(SETS[name].families), SETS[name].group, len(SETS[name].outputs), -1)
    elsewhere = [] if SETS[name].pooled else list(itertools.permutations(range(SETS[name].group), 2))
    assert not any(asserted[:, example, :, position].any() for example, position in elsewhere)


@every_set
def test_no_input_is_an_example_and_all_have_as_many_literals_on(name):
    """So a readout cannot be told by how many there are, and it has one threshold for each output."""
    given = literals.input_vectors(SETS[name], SETS[name].reachable_inputs())
    assert np.allclose((given**2).sum(1), 1) and set((given > 0).sum(1).tolist()) == {SETS[name].places}
    assert SETS[name].places > (SETS[name].examples() > 0).sum(1).max()
    read = literals.readout(SETS[name])
    assert read.threshold.shape == (1, len(SETS[name].outputs)) and read.half_gap.shape == (1,)


def test_a_bit_and_its_negation_are_all_that_is_computed_for_a_network():
    lines = {line: jnp.asarray([[0.0, 1, 1, 0]]) for line in SETS["borrow"].lines}
    zeros, ones = SETS["borrow"].match(lines)
    assert ones.tolist() == [[0, 1, 1, 0, 0, 1, 1, 0]] and zeros.tolist() == [[1, 0, 0, 1, 1, 0, 0, 1]]


@pytest.mark.parametrize("name", ["borrow", "differ", "either", "any", *slow("prefix", "gate")])
def test_in_the_limit_every_margin_is_one_or_more(name):
    """The thresholds are half-way: from the kernel of the examples, on every input."""
    learned = SETS[name]
    inputs = learned.reachable_inputs()
    means = kernel.regression(learned.examples(), learned.labels(), literals.input_vectors(learned, inputs))
    read = literals.readout(learned)
    threshold = np.repeat(read.threshold[0], learned.output_bits // len(learned.outputs))
    margin = np.where(learned.specify(inputs), 1, -1) * (means - threshold) / read.half_gap
    assert margin.min() == pytest.approx(1, abs=1e-5)


def test_regression_on_orthonormal_examples_is_the_closed_form():
    labels = np.array([[1, 0], [1, 1], [0, 0], [1, 0], [0, 1]], np.float32)
    on = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 0, 1]], np.float64)
    inputs = on / np.sqrt(on.sum(1, keepdims=True))
    found = kernel.regression(np.eye(5, dtype=np.float32), labels, inputs)
    for row, matched in zip(found, on, strict=True):
        n, c, m = int(matched.sum()), labels.sum(0), matched @ labels
        assert np.allclose(row, [kernel.mean(5, int(c_o), n, int(m_o)) for c_o, m_o in zip(c, m, strict=True)])


def test_what_no_threshold_divides_is_refused():
    """Examples that all assert the output, of which some input must not make it 1: the bits make no difference."""
    families = [Family(((line, bit),), ("x",)) for line in ("p", "q") for bit in (0, 1)]
    equal = LiteralSet("equal", tuple(families), ("x",), (2,), group=2)
    with pytest.raises(ValueError, match="'equal' has no threshold"):
        literals.readout(equal)


# --- that they are right ----------------------------------------------------------------------------------------------


@every_set
def test_every_input_is_right_by_the_definition_in_float64(name, stored, unit):
    """relu(x W) V in plain numpy, with the margins that the enumeration of what runs finds."""
    learned, (inner, outer) = SETS[name], (each.astype(np.float64) for each in stored[name])
    inputs = learned.reachable_inputs()
    predicted = np.maximum(literals.input_vectors(learned, inputs) @ inner, 0) @ outer
    read = literals.readout(learned)
    threshold = np.repeat(read.threshold[0], learned.output_bits // len(learned.outputs))
    right = learned.specify(inputs)
    assert ((predicted > threshold) == right).all()
    smallest = (np.where(right, 1, -1) * (predicted - threshold) / read.half_gap).min()
    found = enumeration.enumerate_inputs(learned, unit.params[name])
    assert (found.inputs, found.wrong) == (len(inputs), 0)
    assert found.smallest_margin == pytest.approx(smallest, abs=1e-3) and smallest >= 0.25
    assert unit.manifest.networks[name].smallest_margin == pytest.approx(smallest, abs=1e-3)


@every_set
def test_zero_shuffled_and_random_weights_are_wrong(name, stored):
    """With zeros `any` always says 1, and shuffled it nearly always does, which one input alone refutes."""
    learned, rng = SETS[name], np.random.default_rng(0)
    inputs = len(learned.reachable_inputs())

    def wrong(replace) -> int:
        return enumeration.enumerate_inputs(learned, predictor.trained(learned, *map(replace, stored[name]))).wrong

    assert wrong(lambda each: each) == 0
    few = 0 if name == "any" else 0.7
    assert wrong(np.zeros_like) > few * inputs
    assert wrong(lambda each: rng.permutation(each.reshape(-1)).reshape(each.shape)) > few * inputs
    assert wrong(lambda each: rng.normal(0, each.std(), each.shape).astype(np.float32)) > few * inputs


def test_the_weakest_input_of_a_wrong_network_is_told_in_bits(unit):
    params, learned = unit.params["borrow"], SETS["borrow"]
    found = enumeration.weakest(learned, params._replace(outer=-params.outer))
    position = found.position
    right = learned.specify(np.array(found.input))[learned.outputs.index(found.output) * learned.group + position]
    assert found.network == "borrow" and found.value != right
    a, b = (found.input[start : start + 4] for start in (0, 4))
    digits = ["".join(map(str, line)) for line in (a, b)]
    assert learned.told(found.input) == f"the lines hold, lowest position first, a {digits[0]}, b {digits[1]}"


def test_identity_in_place_of_relu_breaks_the_exclusive_or(unit):
    network = controls_bits.networks()["differ"]
    found = {
        name: controls_bits.wrong_at_best(network.learned, value) for name, value in controls_bits.variants(network)
    }
    assert found["relu, as trained"] == found["even part, |z| / 2"] == 0
    for name in ("identity", "odd part, z / 2", "least squares, linear", "weights 0", "weights shuffled"):
        assert found[name] > 0.9 * 256, name


def test_a_linear_map_could_do_what_either_does(unit):
    network = controls_bits.networks()["either"]
    found = {name: controls_bits.wrong(network.learned, value)[0] for name, value in controls_bits.variants(network)}
    assert found["identity"] == found["least squares, linear"] == 0
    assert found["weights 0"] == 255 and found["weights noise"] > 200


def test_no_linear_map_of_the_literals_is_the_exclusive_or():
    """For any, f(00) + f(11) = f(01) + f(10): no threshold has the last two above it and the others not."""
    learned = SETS["differ"]
    bits = np.zeros((4, 2, learned.group), np.int8)
    bits[:, :, 1] = [(0, 0), (1, 1), (0, 1), (1, 0)]
    neither, both, second, first = literals.input_vectors(learned, bits.reshape(4, -1))
    assert np.allclose(neither + both, first + second)
    said = learned.specify(bits.reshape(4, -1))[:, 1]
    assert said.tolist() == [False, False, True, True]


# --- that they compose to subtraction ---------------------------------------------------------------------------------


def test_the_literal_sets_say_what_their_names_say():
    assert enumeration.check_specifications(SETS, proof.MEANINGS) == 4 + 4 + 9 + 8 + 4 + 2


def mutants():
    """Every set with one assertion changed, one example left out, or one count raised or lowered."""
    for name, learned in SETS.items():
        for k, family in enumerate(learned.families):
            before, after = learned.families[:k], learned.families[k + 1 :]
            for output in learned.outputs:
                then = tuple(each for each in learned.outputs if (each in family.then) != (each == output))
                changed = dataclasses.replace(family, then=then)
                yield f"{name} {k} {output}", dataclasses.replace(learned, families=(*before, changed, *after))
            if family.then:
                yield f"{name} {k} left out", dataclasses.replace(learned, families=(*before, *after))
        for o, least in enumerate(learned.least):
            for other in (least - 1, least + 1):
                counts = (*learned.least[:o], other, *learned.least[o + 1 :])
                yield f"{name} at least {other}", dataclasses.replace(learned, least=counts)
        if learned.implies:
            yield f"{name} whatever G and H", dataclasses.replace(learned, implies=())


@pytest.mark.parametrize("mutant", [pytest.param(each, id=label) for label, each in mutants()])
def test_a_literal_set_with_any_one_fault_is_refused(mutant):
    with pytest.raises(VerificationError, match=f"the literal set '{mutant.name}' (answers|lacks)"):
        enumeration.check_specifications(SETS | {mutant.name: mutant}, proof.MEANINGS)


def rewired(steps: tuple[Pass, ...]):
    """Every schedule with one pass left out or shortened, or one wire moved, cut or added."""
    for k, step in enumerate(steps):
        before, after = steps[:k], steps[k + 1 :]
        yield (*before, *after)
        changed = [dataclasses.replace(step, positions=step.positions - 1)]
        for r, (line, source) in enumerate(step.reads):
            if isinstance(source, Read):
                wires = [Read(source.field, source.shift + 1), Read(source.field, source.shift - 1), Read("F")]
            else:
                assert isinstance(source, Spread)
                wires = [Spread(source.field, source.index - 1), Spread("C", source.index)]
            for wire in wires:
                changed.append(
                    dataclasses.replace(step, reads=(*step.reads[:r], (line, wire), *step.reads[r + 1 :]))
                    if wire != source
                    else dataclasses.replace(step, reads=step.reads[:-1])
                )
        for w, (output, field) in enumerate(step.writes):
            changed.append(
                dataclasses.replace(step, writes=(*step.writes[:w], (output, f"{field}'"), *step.writes[w + 1 :]))
            )
            changed.append(dataclasses.replace(step, writes=(*step.writes[:w], (output, "C"), *step.writes[w:])))
        for each in changed:
            yield (*before, each, *after)


def test_every_width_and_instruction_set_is_wired_right():
    assert proof.check_composition() == 61 * 2


@pytest.mark.parametrize(("word_bits", "isa"), [(4, "sbn"), (17, "subleq"), *slow((64, "subleq"), (33, "sbn"))])
def test_any_one_fault_in_the_wiring_is_refused(word_bits, isa, monkeypatch):
    right = majorities.schedule(word_bits, isa)
    for wrong in rewired(right):
        monkeypatch.setattr(proof, "schedule", lambda *_, wrong=wrong: wrong)
        with pytest.raises(VerificationError, match=f"the {word_bits}-bit {isa} schedule"):
            proof.check_schedule(word_bits, isa)


@every_set
def test_what_is_specified_is_what_the_weights_are_compared_with(name):
    """Written twice, for arrays of bits and for what runs: they agree on every input."""
    found = enumeration.enumerate_inputs(SETS[name], proof.Specified())
    assert (found.wrong, found.smallest_margin) == (0, 1)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("word_bits", [4, *slow(5, 7, 8, 9)])
def test_networks_that_do_as_specified_subtract_and_branch_on_all_pairs(word_bits, isa):
    """The schedule run on counts of literals, independently of the argument that it is right."""
    every = np.arange(1 << word_bits, dtype=np.uint32)
    minuend, subtrahend = (each.reshape(1, -1) for each in np.meshgrid(every, every))
    target, fall_through = (np.full_like(minuend, word) for word in (5, 10))
    a, b, c, f = (jnp.asarray(each) for each in (minuend, subtrahend, target, fall_through))
    steps = majorities.schedule(word_bits, isa)
    specified = predictor.bound(SETS.values(), dict.fromkeys(SETS, proof.Specified()))
    fields, _ = run_schedule(steps, SETS, input_fields(a, b, c, f, word_bits), specified)
    place = 2 ** np.arange(word_bits)
    difference, next_pc = (place @ np.asarray(fields[name]).astype(np.int64) for name in ("d", "pc"))
    exact = (minuend[0].astype(np.int64) - subtrahend[0]) % (1 << word_bits)
    taken = (exact >> (word_bits - 1) == 1) | ((exact == 0) & (isa == "subleq"))
    assert (difference == exact).all() and (next_pc == np.where(taken, 5, 10)).all()


# --- training, and what is claimed ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_network_on_given_inputs_is_the_definition():
    start = two_layer.initialise(jax.random.key(1), "plain", 32, SETS["differ"].input_bits, 4)
    inputs = jnp.asarray(SETS["differ"].examples())
    hidden, output = (np.asarray(each[0], np.float64) for each in start)
    expected = np.maximum(inputs @ hidden.T, 0) @ output / np.sqrt(32)
    assert np.abs(two_layer.predict_examples(start, inputs) - expected).max() < 1e-5
    alone = two_layer.predict_examples(start, jnp.eye(SETS["differ"].input_bits, dtype=jnp.float32))
    assert np.abs(alone - two_layer.predict_templates(start)).max() < 1e-5


@pytest.mark.slow
def test_training_reaches_the_labels_of_given_inputs():
    """By the definition in float64."""
    learned = SETS["differ"]
    trained = training.train(
        learned.labels(), networks=2, width=64, initialisation="mirrored", seed=3, inputs=learned.examples()
    )
    inner, outer = (each.astype(np.float64) for each in two_layer.merge(trained.ensemble))
    predicted = np.maximum(learned.examples() @ inner, 0) @ outer
    assert np.abs(predicted - learned.labels()).max() < 5 * two_layer.TOLERANCE
    assert trained.error <= two_layer.TOLERANCE


@pytest.mark.slow
def test_training_from_nothing_is_accepted(tmp_path, monkeypatch):
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))
    recipe = catalog.recipe("ntk-bits")
    assert recipe is not None
    _, manifest = recipes.train(recipe, None)
    assert not manifest.shipped and manifest.verified.inputs == 11_681
    assert manifest.verified.smallest_margin >= 0.25 and manifest.verified.schedules == 122


def test_a_changed_predictor_of_literals_needs_a_new_version():
    """The golden prediction: whoever changes how a network predicts raises `predictor.VERSION` with these numbers."""
    rng = np.random.default_rng(1)
    learned = SETS["borrow"]
    inner = rng.normal(size=(learned.input_bits, 8)).astype(np.float32)
    outer = rng.normal(size=(8, learned.output_bits)).astype(np.float32)
    params = literals.make_params(learned, inner, outer)
    found = enumeration.predict_inputs(params, np.array([[0, 1, 1, 0, 1, 0, 1, 0]], np.int8), template_set=learned)
    assert predictor.VERSION == 1
    np.testing.assert_allclose(np.concatenate([each.reshape(-1) for each in found]), GOLDEN, rtol=1e-5, atol=1e-6)


# value, threshold and half gap of the eight outputs
GOLDEN = [
    *(-0.255236, -0.110555, -0.094978, 0.056336, 0.021382, 0.185231, -0.75119, 0.475299),
    *([0.278319] * 4 + [0.031941] * 4),
    *([0.123189] * 8),
]


@pytest.mark.parametrize("name", ["borrow", *slow("differ", "prefix", "gate", "either", "any")])
def test_one_machine_and_a_batch_predict_literals_the_same_up_to_rounding(name, unit):
    params, inputs = unit.params[name], SETS[name].reachable_inputs()[-7:]
    together = np.asarray(enumeration.predict_inputs(params, inputs, template_set=SETS[name]).value)
    matched = tuple((inputs == bit).astype(np.float32) for bit in (0, 1))
    alone = jax.jit(predictor.predict, static_argnums=0)(SETS[name], params, matched)
    assert np.abs(np.asarray(alone.value).reshape(len(inputs), -1) - together).max() < 1e-5


def test_the_unit_says_what_is_learned_in_it(unit):
    assert (unit.scope.difference, unit.scope.decision, unit.scope.select) == ("learned",) * 3
    assert unit.scope.glue == "negation of a bit, wiring, constant threshold"
    assert "no linear map can replace" in unit.scope.sentence
    assert sum(each.examples for each in unit.manifest.networks.values()) == 120
    assert unit.manifest.verified.kind == "every input enumerated, composition checked at widths 4-64"


def test_the_chapter_states_the_networks_as_they_are(unit):
    """Examples, inputs, width and smallest margin of each network, and what they add up to."""
    text = (ROOT / "docs/ntk_bits.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\d+) \| ([\d,]+) \| 2 × ([\d,]+) \| ([\d.]+) \|$", text, flags=re.MULTILINE)
    found = {
        name: (str(each.examples), f"{each.inputs:,}", f"{each.width:,}", f"{each.smallest_margin:.2f}")
        for name, each in unit.manifest.networks.items()
    }
    assert {name: tuple(numbers) for name, *numbers in rows} == found
    assert store.plain(unit.manifest.verified)["inputs"] == 11_681 and "11,681" in text


@pytest.mark.slow
def test_the_table_of_replacements_in_the_chapter_is_what_the_command_prints(unit):
    text = (ROOT / "docs/ntk_bits.md").read_text(encoding="utf-8")
    there = {tuple(re.split("  +", line)) for line in text.splitlines()}
    rows = controls_bits.measure(True, lambda what, part: None).shown()
    assert len(rows) == 1 + 6 * 8 and set(map(tuple, rows)) <= there


def test_every_test_named_by_the_chapter_exists():
    text = (ROOT / "docs/ntk_bits.md").read_text(encoding="utf-8")
    there = set()
    for path in (ROOT / "tests").glob("test_*.py"):
        there |= set(re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"`(test_\w+)`", text)) - {path.stem for path in (ROOT / "tests").glob("test_*.py")}
    assert len(named) > 8 and named <= there, sorted(named - there)
