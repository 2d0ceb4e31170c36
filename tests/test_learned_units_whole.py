"""The whole machine's templates, passes and weights: what they say, and how they are made."""

import functools
import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marks import slow

from learned_units import store
from learned_units.circuits import machine_grouped
from learned_units.circuits.machine_one import at_least, executable, templates
from learned_units.circuits.passes import Pick, run_schedule
from learned_units.circuits.state_templates import Axis, Bit, StateFamily, StateTemplates, Word
from learned_units.networks import kernel, named_fields
from learned_units.proof import enumeration
from learned_units.store import WeightsError
from learned_units.weights import recipes, whole_grouped, whole_one
from learned_units.whole import grouped, one_network
from learned_units.whole.one_network import OneNetwork

every_size = pytest.mark.parametrize(("cells", "word_bits"), [(3, 4), *slow((16, 8), (15, 4), (9, 18))])
both_isas = pytest.mark.parametrize("isa", ["sbn", *slow("subleq")])


def matched_by_hand(templates: StateTemplates, state: np.ndarray) -> np.ndarray:
    """Which templates match, from the expanded requirements: bool [size]."""
    rows = templates.requirements()
    violated = ((rows == 1) & (state == 0)) | ((rows == -1) & (state == 1)) | (rows == 2)
    return ~violated.any(1)


def random_states(templates: StateTemplates, count: int) -> list[np.ndarray]:
    """States of every density, each bit at random: also such as no machine reaches."""
    rng = np.random.default_rng(3)
    return [(rng.random(templates.state_bits) < rng.random()).astype(np.float32) for _ in range(count)]


@every_size
@both_isas
def test_the_fast_match_is_the_expanded_templates(cells, word_bits, isa):
    of_machine = templates(cells, word_bits, isa)

    @jax.jit
    def fast(state):
        matched = of_machine.match(of_machine.split(state))
        return jnp.concatenate([each.reshape(-1) for each in matched]), of_machine.collect(matched)

    for state in random_states(of_machine, 8):
        flat, asserting = (np.asarray(each) for each in fast(state))
        expected = matched_by_hand(of_machine, state)
        assert flat.tolist() == expected.astype(float).tolist()
        assert asserting.tolist() == (expected.astype(np.float32) @ of_machine.labels()).tolist()


@every_size
@both_isas
def test_the_readout_knows_how_many_templates_assert_each_bit(cells, word_bits, isa):
    of_machine = templates(cells, word_bits, isa)
    assert of_machine.label_counts().tolist() == of_machine.labels().sum(0).tolist()


def test_conditions_and_assertions_outside_their_field():
    shifted = StateTemplates(
        (("v", (3,)), ("w", (3,))),
        (
            StateFamily((3,), (Bit("v", (Axis(0, -1),)),), (Bit("w", (Axis(0, 1),)),)),
            StateFamily((3,), (Bit("v", (Axis(0, 2),), 0),), (Bit("v", (Axis(0),)),)),
        ),
    )
    for bits in itertools.product((0.0, 1.0), repeat=6):
        state = np.array(bits, np.float32)
        v = [*bits[:3], 0, 0]
        expected = [0, v[0], v[1], 1 - v[2], 1, 1]  # a bit outside reads as 0
        matched = shifted.match(shifted.split(jnp.asarray(state)))
        assert np.concatenate(matched).tolist() == expected
        assert np.asarray(shifted.collect(matched)).tolist() == [1 - v[2], 1, 1, 0, 0, v[0]]


def test_axes_may_stand_in_any_order():
    turned = StateTemplates(
        (("m", (2, 3)), ("t", (3, 2))),
        (StateFamily((3, 2), (Bit("m", (Axis(1), Axis(0))),), (Bit("t", (Axis(0), Axis(1))),)),),
    )
    m = np.arange(6).reshape(2, 3) % 2
    state = np.concatenate([m.reshape(-1), np.zeros(6)]).astype(np.float32)
    asserted = turned.split(np.asarray(turned.collect(turned.match(turned.split(jnp.asarray(state))))))
    assert asserted["t"].tolist() == m.T.tolist()


@pytest.mark.parametrize("word_bits", [1, 3, 5])
def test_the_words_from_a_bound_on_fit_exactly_one_pattern(word_bits):
    for bound in range((1 << word_bits) + 1):
        for word in range(1 << word_bits):
            bits = [word >> i & 1 for i in range(word_bits)]
            fitting = [
                pattern
                for pattern in at_least(bound, word_bits)
                if all(want == "-" or int(want) == bit for want, bit in zip(pattern, bits, strict=True))
            ]
            assert len(fitting) == (word >= bound), (bound, word)


def test_an_instruction_stands_where_there_is_room_for_it():
    assert executable(32, 8) == 30 and executable(250, 8) == 128 and executable(3, 4) == 1


@pytest.mark.parametrize(("cells", "word_bits"), [(32, 8), (128, 16), (1024, 16)])
def test_the_margin_in_float32_is_nominal_at_the_worst_n_reachable(cells, word_bits):
    """A memory full of ones matches one copy a bit, and little else. The threshold of the bit with most templates."""
    of_machine = templates(cells, word_bits, "sbn")
    most = cells * word_bits + 12 * word_bits + 2 * cells + 8
    own, common = (each.astype(np.float32) for each in kernel.coefficients(of_machine.size, most))
    c = np.float32(of_machine.label_counts().max())
    for n in range(1, most + 1):
        half = own[n] * np.float32(0.5)
        taken_off = common[n] * c
        for m in (0, 1):
            distance = (own[n] * np.float32(m) - taken_off) - (half - taken_off)
            assert (distance > 0) == m and abs(distance) / half > 0.99


def test_a_condition_on_a_word_may_leave_bits_open():
    some = StateTemplates(
        (("v", (2,)), ("w", (2,))), (StateFamily((2,), (Word("v", 0, ("1-", "01")),), (Word("w", 0, ("10", "11")),)),)
    )
    for low, high in itertools.product((0, 1), repeat=2):
        matched = some.match(some.split(jnp.asarray([low, high, 0, 0], jnp.float32)))
        assert matched[0].tolist() == [low, (1 - low) * high]
        assert np.asarray(some.collect(matched))[2:].tolist() == [low + (1 - low) * high, (1 - low) * high]


# --- the grouped form -------------------------------------------------------------------------------------------------


def test_the_seven_networks_say_what_their_names_say():
    sets = machine_grouped.template_sets()
    assert enumeration.check_specifications(sets) == 16 + 9 * 2**8 + 16 + 81 + 12 + 8 + 2
    assert {name: each.size for name, each in sets.items()} == {
        "decode": 32,
        "read": 64,
        "first": 64,
        "prefix": 40,
        "difference": 32,
        "select": 16,
        "any": 8,
    }


@pytest.mark.parametrize("network", ["decode", "read"])
def test_a_template_set_that_says_something_else_is_refused(network):
    of_network = machine_grouped.template_sets()[network]
    first, second, *others = of_network.families
    mutant = replace(of_network, families=(first, replace(second, then=first.then[:-1]), *others))
    with pytest.raises(enumeration.VerificationError, match=network):
        enumeration.check_specifications({network: mutant})


def test_read_can_receive_one_row_at_a_time_and_any_bits_of_it():
    expected = {tuple(bits) for row in range(8) for bits in itertools.product((-1, row), repeat=8)}
    found = machine_grouped.template_sets()["read"].reachable_inputs().tolist()
    assert len(found) == len(expected) == 8 * 255 + 1
    assert {tuple(each) for each in found} == expected


def test_decode_can_receive_every_pair_of_nibbles():
    found = machine_grouped.template_sets()["decode"].reachable_inputs().tolist()
    assert sorted(map(tuple, found)) == sorted(itertools.product(range(16), repeat=2))


@pytest.mark.parametrize(("cells", "word_bits"), [(32, 8), (20, 5), (256, 16), (250, 8), (9, 64)])
def test_every_place_a_pass_reads_is_a_bit_of_a_field(cells, word_bits):
    lengths = {"memory": cells * word_bits, "pc": word_bits, "fault": 1, "one": 1, "minus three": word_bits}
    sets = machine_grouped.template_sets()
    for _, step in machine_grouped.schedule(cells, word_bits, "subleq"):
        assert {line for line, _ in step.reads} == set(sets[step.network].lines)
        for _, source in step.reads:
            if isinstance(source, Pick):
                assert len(source.bits) == step.positions
                assert all(bit is None or 0 <= bit[1] < lengths[bit[0]] for bit in source.bits)
            else:
                assert source.field in lengths
        length = step.groups(sets[step.network].group) if sets[step.network].pooled else step.positions
        lengths |= {field: length for _, field in step.writes}
    assert (lengths["memory"], lengths["pc"], lengths["fault"]) == (cells * word_bits, word_bits, 1)


@pytest.mark.parametrize(("cells", "word_bits"), [(17, 5), *slow((32, 8), (254, 16))])
def test_every_word_as_pc_flags_its_row_or_none(cells, word_bits):
    """The passes that decode pc, on the closed form, for all 2^word_bits words."""
    steps = [step for name, step in machine_grouped.schedule(cells, word_bits, "sbn") if name == "decode pc"]
    sets, params = machine_grouped.template_sets(), grouped.limit_params()

    @jax.jit
    @jax.vmap
    def decoded(pc):
        fields = {"pc": pc, "one": jnp.ones(1)}
        fields, _ = run_schedule(tuple(steps), sets, fields, functools.partial(grouped.predict, params))
        return fields["row"], fields["row ok"][0], fields["pc fault"][0]

    for words in np.array_split(np.arange(1 << word_bits), max(1, (1 << word_bits) // 2048)):
        row, found, fault = decoded((words[:, None] >> np.arange(word_bits) & 1).astype(np.float32))
        places = executable(cells, word_bits)
        assert np.array_equal(np.asarray(found) > 0, words < places)
        assert np.array_equal(np.asarray(fault) > 0, (words >= places) & (words < 1 << (word_bits - 1)))
        low = np.asarray(row)[words < places]
        assert np.array_equal(low, np.eye(places, dtype=np.float32)[words[words < places]])


def test_the_trained_networks_are_enumerated_and_their_margins_recorded():
    _, manifest = whole_grouped.obtain(0, None)
    inputs = {name: each.inputs for name, each in manifest.networks.items()}
    assert inputs == {name: len(each.reachable_inputs()) for name, each in machine_grouped.template_sets().items()}
    assert manifest.verified.inputs == sum(inputs.values()) == 2_202_324
    margins = [each.smallest_margin for each in manifest.networks.values()]
    assert manifest.verified.smallest_margin == min(margin for margin in margins if margin is not None) >= 0.25
    assert None not in margins


def test_weights_that_claim_too_little_are_refused():
    recipe = whole_grouped.recipe(0)
    tensors, manifest = recipes.obtain(recipe, None)
    recipe.check(tensors, manifest)
    for claims in ({"kind": "none", "inputs": 9, "smallest_margin": 0.2}, {}, None):
        with pytest.raises(WeightsError):
            recipes.accepted(recipe, tensors, {**manifest.written, "verified": claims})
    with pytest.raises(WeightsError, match="read"):
        recipe.check({name: each for name, each in tensors.items() if name != "read.inner"}, manifest)


# --- one network, trained ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_states_a_trained_network_is_judged_on_are_of_every_phase_and_full_of_matches():
    spec = OneNetwork(5, 4, "sbn")
    states = whole_one.reached_states(spec)
    starts = whole_one.STATES // (whole_one.INSTRUCTIONS * spec.evaluations)
    assert states.shape == (starts * whole_one.INSTRUCTIONS * spec.evaluations, spec.templates.state_bits)
    assert whole_one.STATES - len(states) < 14
    phases = spec.templates.split(states.sum(0))["phase"]
    assert (phases > whole_one.STATES / 40).all()


@pytest.mark.parametrize("measured", [{"z": np.nan}, {"largest_error": np.nan}, {"z": 1.0}])
def test_one_network_that_claims_too_little_is_refused(measured):
    recipe = whole_one.recipe(OneNetwork(8, 4, "sbn"), 0)
    found = {"z": 9.0, "largest_error": 0.1, "inputs": 1} | measured
    network = {"width": 8, "examples": 8, "iterations": 1, "error": 0.0, **found}
    stated = {**recipe.expected, **store.origin(), "seed_used": 0, "tensor_hash": "", "ensemble_size": 2}
    claims = {"initialisation": "mirrored", "networks": {"whole": network}, "verified": {"kind": "sampled", **found}}
    with pytest.raises(WeightsError, match="the manifest (claims too little|says 'nan' for 'verified.)"):
        recipe.check({}, recipe.kind.read({**stated, **claims}))


def test_one_network_is_trained_for_small_machines_only():
    with pytest.raises(ValueError, match="form grouped"):
        whole_one.obtain(OneNetwork(32, 8, "sbn"), 0, None)


@pytest.mark.slow
@pytest.mark.parametrize("cells", [5, 8])
def test_one_trained_network_reaches_z_of_8_and_breaks_when_scrambled(cells):
    spec = OneNetwork(cells, 4, "sbn")
    params, manifest = whole_one.obtain(spec, 0, None)
    found = manifest.verified
    assert found.z is not None and found.z >= 8 and found.largest_error is not None and found.largest_error < 0.9
    assert isinstance(params, named_fields.StateEnsemble)
    states = jnp.asarray(whole_one.reached_states(spec)[::16])
    limit = named_fields.limit_params(spec.templates)

    def following(params):
        return np.asarray(
            jax.jit(jax.vmap(lambda state: one_network.iterate(spec.templates, params, state).state))(states)
        )

    assert np.array_equal(following(params), following(limit))
    scrambled = np.random.default_rng(0).permutation(np.asarray(params.inner).reshape(-1)).reshape(params.inner.shape)
    assert (following(params._replace(inner=scrambled)) != following(limit)).any(1).mean() > 0.9
