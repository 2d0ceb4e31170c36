"""The proof by enumeration and composition: it holds, it covers what runs, and it can fail.

A check that cannot fail proves nothing, so every part of the proof is shown a fault of each kind and must name it.
"""

import dataclasses
import functools
import itertools

import exactness
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marks import slow

from learned_units import bits
from learned_units.circuits.passes import Pass, Prediction, Read, Spread, matched_family, run_schedule
from learned_units.circuits.subtract_branch import input_fields, schedule, template_sets
from learned_units.circuits.templates import TemplateSet
from learned_units.networks import ensemble, limit, readout, training, two_layer
from learned_units.proof import enumeration, operands
from learned_units.proof.enumeration import VerificationError

SETS = template_sets(8)
NAMES = tuple(SETS)
ISAS = ("sbn", "subleq")


def closed_form(name: str) -> limit.LimitParams:
    return limit.make_params(SETS[name], readout.calibrated(SETS[name]))


# --- the specification of the template sets ---------------------------------------------------------------------------


@pytest.mark.parametrize("group", [1, 2, 3, 8, 16, 33, 64])
def test_the_template_sets_say_what_their_names_say(group):
    # 2^4 of first, 6^4 ... of prefix: 3^4 pairs (G, P) never both 1; difference 2 * 3 * 2; select 2^3; any 2
    assert enumeration.check_specifications(template_sets(group)) == 16 + 81 + 12 + 8 + 2


def mutants(template_set: TemplateSet):
    """Every template set with one condition flipped, one dropped, one family dropped, or one assertion changed."""
    families = template_set.families
    for k, family in enumerate(families):
        others = families[:k], families[k + 1 :]
        changed = []
        for c, (line, bit) in enumerate(family.when):
            rest = family.when[:c], family.when[c + 1 :]
            changed.append(("flipped", dataclasses.replace(family, when=(*rest[0], (line, 1 - bit), *rest[1]))))
            if len(family.when) > 1:
                changed.append(("dropped", dataclasses.replace(family, when=(*rest[0], *rest[1]))))
        for output in template_set.outputs:
            then = tuple(o for o in template_set.outputs if (o in family.then) != (o == output))
            changed.append((f"asserts {output} or not", dataclasses.replace(family, then=then)))
        for what, mutant in changed:
            yield (
                f"{template_set.name} {k} {what}",
                functools.partial(dataclasses.replace, template_set, families=(*others[0], mutant, *others[1])),
            )
        if len(families) > 1:
            yield (
                f"{template_set.name} {k} left out",
                functools.partial(dataclasses.replace, template_set, families=(*others[0], *others[1])),
            )


MUTANTS = [mutant for template_set in SETS.values() for mutant in mutants(template_set)]


@pytest.mark.parametrize("make", [pytest.param(make, id=label) for label, make in MUTANTS])
def test_a_template_set_with_any_one_fault_is_refused(make):
    try:
        mutant = make()
    except ValueError as error:  # two of its families would match at once
        assert "can match at one position" in str(error)
        return
    except KeyError:  # no family reads a line any more that `never` speaks of
        return
    with pytest.raises(VerificationError, match=f"the template set '{mutant.name}' (answers|lacks) "):
        enumeration.check_specifications(SETS | {mutant.name: mutant})


def test_there_are_many_such_faults():
    assert len(MUTANTS) > 120


# --- the wiring -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [1, 2, 7, 8, 16, 64])
def test_every_width_and_instruction_set_is_wired_right(group):
    assert enumeration.check_composition(group) == 61 * 2


def test_the_paper_form_is_wired_right_at_every_width():
    for width, isa in itertools.product(range(4, 65), ISAS):
        enumeration.check_schedule(width, isa, width)


def rewired(steps: tuple[Pass, ...]):
    """Every schedule with one pass left out, doubled, renamed or shortened, or one wire moved, cut or added."""
    for k, step in enumerate(steps):
        before, after = steps[:k], steps[k + 1 :]
        yield f"pass {k} left out", (*before, *after)
        changed = [("short", dataclasses.replace(step, positions=step.positions - 1))]
        changed += [("renamed", dataclasses.replace(step, network=other)) for other in NAMES if other != step.network]
        for r, (line, source) in enumerate(step.reads):
            if isinstance(source, Read):
                wires = [Read(source.field, source.shift + 1), Read(source.field, source.shift - 1)]
                wires += [Read("b" if source.field != "b" else "a", source.shift)]
            else:
                assert isinstance(source, Spread)
                wires = [Spread(source.field, source.index - 1), Spread("C", source.index)]
            for wire in wires:
                changed.append((f"{line} reads {wire}", _with_read(step, r, (line, wire))))
        for w, (output, field) in enumerate(step.writes):
            writes = [*step.writes]
            writes[w] = (output, field + "'")
            changed.append((f"{output} written elsewhere", dataclasses.replace(step, writes=tuple(writes))))
            for other in ("a", "x", "C"):  # the last one of an output would be what a dictionary of them says
                if other != field:
                    writes = (*step.writes[:w], (output, other), *step.writes[w:])
                    changed.append((f"{output} written to {other} too", dataclasses.replace(step, writes=writes)))
        for what, mutant in changed:
            yield f"pass {k} {what}", (*before, mutant, *after)
    yield "select again", (*steps, steps[-1])
    yield "nothing at all", ()


def _with_read(step: Pass, r: int, read) -> Pass:
    return dataclasses.replace(step, reads=(*step.reads[:r], read, *step.reads[r + 1 :]))


REWIRED = [
    pytest.param(width, isa, steps, id=f"{width}-{isa}-{label}")
    for width, isa in ((4, "sbn"), (16, "sbn"), (16, "subleq"))
    for label, steps in rewired(schedule(width, isa, 8))
]


@pytest.mark.parametrize(("width", "isa", "steps"), REWIRED)
def test_a_schedule_with_any_one_fault_is_refused(width, isa, steps, monkeypatch):
    monkeypatch.setattr(enumeration, "schedule", lambda *form: steps)
    with pytest.raises(VerificationError, match=f"the {width}-bit {isa} schedule: "):
        enumeration.check_schedule(width, isa, 8)


# --- the algebra end to end -------------------------------------------------------------------------------------------


def specified(sets: dict[str, TemplateSet]):
    """A predictor that answers exactly what the template sets specify, as 0 and 1 with the threshold between."""

    def predict(network: str, matched: tuple[jax.Array, ...]) -> Prediction:
        asserted = jnp.einsum("fgp,fo->gop", jnp.stack(matched), sets[network].assertions())
        if sets[network].pooled:
            asserted = asserted.sum(-1, keepdims=True)
        half = jnp.full((1, 1, 1), 0.5, jnp.float32)
        return Prediction((asserted > 0).astype(jnp.float32), half, half)

    return predict


def run_exactly(word_bits: int, isa: str, group: int, cases: operands.Cases):
    """difference, next pc and every pass's inputs (family matched at each position), from the exact predictor."""
    sets, steps = template_sets(group), schedule(word_bits, isa, group)

    def one(a: jax.Array, b: jax.Array, c: jax.Array, f: jax.Array):
        fields, traces = run_schedule(steps, sets, input_fields(a, b, c, f, word_bits), specified(sets))
        found = [bits.bits_to_limbs(fields[name] > 0, word_bits) for name in ("d", "pc")]
        return *found, [matched_family(trace.matched) for trace in traces]

    limbs = [bits.words_to_limbs(column, word_bits) for column in cases]
    difference, next_pc, inputs = jax.jit(jax.vmap(one))(*limbs)
    words = [bits.limbs_to_words(np.asarray(each), word_bits).tolist() for each in (difference, next_pc)]
    return words[0], words[1], [(step, np.asarray(index)) for step, index in zip(steps, inputs, strict=True)]


SMALL = [(5, 2), *slow((4, 8), (5, 8), (5, 5), (6, 1), (6, 8))]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("word_bits", "group"), SMALL)
def test_every_pair_of_small_words_is_right_when_every_network_is(word_bits, isa, group):
    every = np.arange(2**word_bits, dtype=np.uint64)
    minuend, subtrahend = (each.reshape(-1) for each in np.meshgrid(every, every))
    rng = np.random.default_rng(0)
    targets, fall_throughs = (operands.words(rng, len(minuend), word_bits) for _ in range(2))
    cases = (minuend, subtrahend, targets, fall_throughs)
    assert run_exactly(word_bits, isa, group, cases)[:2] == exactness.exact(word_bits, isa, cases)


@pytest.mark.parametrize(
    ("word_bits", "isa"),
    [(9, "subleq")]
    + slow(*((w, isa) for w in (*range(4, 13), 15, 16, 17, 23, 24, 31, 32, 33, 40, 47, 63, 64) for isa in ISAS)),
)  # fmt: skip
def test_every_input_met_in_a_run_was_enumerated(word_bits, isa):
    """Padding, edges of the word and edges between groups included: otherwise the proof would have a hole."""
    seed = word_bits
    rng = np.random.default_rng(seed)
    halves = (operands.uniform(rng, 1500, word_bits), operands.adversarial(rng, 1500, word_bits))
    minuend, subtrahend, target, fall_through = (np.concatenate(column) for column in zip(*halves, strict=True))
    cases = (minuend, subtrahend, target, fall_through)
    difference, next_pc, inputs = run_exactly(word_bits, isa, 8, cases)
    assert (difference, next_pc) == exactness.exact(word_bits, isa, cases)
    assert {step.network for step, _ in inputs} >= {"first", "difference", "select"}
    for step, index in inputs:
        place = (len(SETS[step.network].families) + 1) ** np.arange(8)
        met = np.unique((index.reshape(-1, 8).astype(np.int64) + 1) @ place)
        assert np.isin(met, _enumerated(step.network)).all(), step


@functools.cache
def _enumerated(name: str) -> np.ndarray:
    place = (len(SETS[name].families) + 1) ** np.arange(8)
    return (SETS[name].reachable_inputs().astype(np.int64) + 1) @ place


# --- enumeration ------------------------------------------------------------------------------------------------------

quick_set = pytest.mark.parametrize("name", ["select", "any", *slow("difference", "first")])


@quick_set
def test_the_limit_is_right_on_every_input_with_a_margin_of_one(name):
    found = enumeration.enumerate_inputs(SETS[name], closed_form(name))
    assert (found.inputs, found.wrong) == (len(SETS[name].reachable_inputs()), 0)
    assert found.smallest_margin == pytest.approx(1, abs=1e-4)


@quick_set
def test_the_trained_networks_are_right_on_every_input_they_can_receive(name, unit_of):
    unit = unit_of("ntk")
    found = enumeration.enumerate_inputs(SETS[name], unit.params[name])
    claimed = unit.manifest.networks[name]
    assert (found.inputs, found.wrong) == (claimed.inputs, 0)
    assert found.smallest_margin == pytest.approx(claimed.smallest_margin, abs=1e-4)
    assert found.smallest_margin >= 0.25


@pytest.mark.slow
def test_the_whole_proof_holds_for_the_trained_weights(unit_of):
    unit = unit_of("ntk")
    found = enumeration.prove(unit.params, 8)
    assert {name: each.inputs for name, each in found.items()} == {
        "first": 122_969,
        "prefix": 1_679_616,
        "difference": 390_625,
        "select": 6_561,
        "any": 256,
    }
    assert all(each.wrong == 0 for each in found.values())
    assert min(each.smallest_margin for each in found.values()) >= 0.25


def test_the_manifest_counts_every_input(unit_of):
    verified = unit_of("ntk").manifest.verified
    assert verified.inputs == 122_969 + 1_679_616 + 390_625 + 6_561 + 256
    assert verified.schedules == 122
    assert verified.smallest_margin >= 0.25


@quick_set
def test_what_is_specified_is_what_the_limit_is_asked(name):
    """The one judge of enumeration, TemplateSet.specify, against the predictor's own matches and brute force."""
    inputs = SETS[name].reachable_inputs()
    chosen = inputs[np.random.default_rng(1).integers(0, len(inputs), 2000)]
    matched = tuple(jnp.asarray(chosen == f, jnp.float32) for f in range(len(SETS[name].families)))
    answered = np.asarray(specified(SETS)(name, matched).value) > 0.5
    assert (SETS[name].specify(chosen) == answered.reshape(len(chosen), -1)).all()


@pytest.mark.parametrize(("name", "tensor", "factor"), [
    ("first", "inner", 0.4), ("first", "outer", 0.4), ("first", "outer", 3.0), ("first", "outer", -1.0),
    ("difference", "outer", 0.4), ("difference", "inner", 9.0),
    ("select", "outer", 0.4), ("select", "inner", 0.0),
    ("any", "outer", 0.0), ("any", "outer", -1.0),
])  # fmt: skip
def test_a_trained_network_with_one_scaled_tensor_is_found_wrong(name, tensor, factor, unit_of):
    weights = unit_of("ntk").params[name]
    scaled = weights._replace(**{tensor: getattr(weights, tensor) * np.float32(factor)})
    found = enumeration.enumerate_inputs(SETS[name], scaled, floor=0)
    assert found.wrong > 0
    assert found.smallest_margin <= 0


# An infinite weight in `inner` may leave every decision right. No file of weights that are not finite is accepted.
@pytest.mark.parametrize(
    ("tensor", "value"),
    [("inner", np.nan), ("outer", np.nan), ("outer", np.inf), ("outer", -np.inf)],
)
@pytest.mark.parametrize("name", ["select", "any"])
def test_weights_that_are_no_numbers_are_found_wrong(name, tensor, value, unit_of):
    weights = unit_of("ntk").params[name]
    whole = getattr(weights, tensor)
    for spoiled in (jnp.full_like(whole, value), whole.at[(0,) * whole.ndim].set(value)):
        found = enumeration.enumerate_inputs(SETS[name], weights._replace(**{tensor: spoiled}))
        assert found.wrong > 0
        assert not found.smallest_margin > 0


@pytest.mark.parametrize("name", ["difference", "select", "any", *slow("first")])
def test_a_closed_form_that_is_wrong_at_one_number_of_matched_templates_is_found_wrong(name):
    form = closed_form(name)
    matched = (SETS[name].reachable_inputs() >= 0).sum(1)
    for number in set(matched.tolist()) - {0}:
        found = enumeration.enumerate_inputs(SETS[name], form._replace(table=form.table.at[0, number].set(0)), floor=0)
        assert found.wrong > 0, number


@pytest.mark.parametrize("name", ["any", *slow("first", "difference", "select")])
def test_the_closed_form_of_changed_labels_gives_other_answers(name):
    given = SETS[name]
    inputs = jnp.asarray(given.reachable_inputs())
    for f, o in itertools.product(range(len(given.families)), range(len(given.outputs))):
        families = list(given.families)
        then = tuple(each for each in given.outputs if (each in families[f].then) != (each == given.outputs[o]))
        families[f] = dataclasses.replace(families[f], then=then)
        changed = dataclasses.replace(given, families=tuple(families))
        if not changed.assertions().any(0).all():
            continue  # an output that no template asserts is no output
        form = limit.make_params(changed, readout.calibrated(changed))
        prediction = enumeration.predict_inputs(form, inputs, template_set=changed)
        answers = np.asarray(prediction.value > prediction.threshold)
        assert (answers != given.specify(np.asarray(inputs))).any(), (f, o)


@pytest.mark.slow
def test_a_network_trained_on_one_wrong_label_is_found_wrong(monkeypatch):
    labels = SETS["select"].labels()
    labels[3, 3] = 1 - labels[3, 3]
    trained = training.train(labels, networks=4, width=128, initialisation="variance-reduced", seed=0)
    params = ensemble.make_params(
        SETS["select"], *two_layer.merge(trained.ensemble), readout.calibrated(SETS["select"])
    )
    assert enumeration.enumerate_inputs(SETS["select"], params).wrong > 0
    monkeypatch.setattr(enumeration, "check_composition", lambda group: 122)
    monkeypatch.setattr(enumeration, "template_sets", lambda group: {"select": SETS["select"]})
    with pytest.raises(VerificationError, match=r"the network 'select' is wrong on [\d,]+ of 6,561 inputs"):
        enumeration.prove({"select": params}, 8)


def test_enumeration_stops_early_only_below_its_floor():
    form = closed_form("difference")
    assert enumeration.enumerate_inputs(SETS["difference"], form, floor=0.99).inputs == 390_625
    stopped = enumeration.enumerate_inputs(SETS["difference"], form, floor=1.5)
    assert stopped.inputs == enumeration.BLOCK
    assert stopped.smallest_margin < 1.5


def test_enumeration_reports_its_progress_to_the_end():
    heard = []
    enumeration.enumerate_inputs(SETS["first"], closed_form("first"), progress=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 1
