"""One network for the whole word: what each network receives is listed whole, enumerated cheaply, and found wrong."""

import dataclasses

import numpy as np
import pytest
from marks import slow

from learned_units import Unit, load_unit
from learned_units.circuits.passes import Read
from learned_units.circuits.subtract_branch import schedule, template_sets
from learned_units.networks.ensemble import EnsembleParams
from learned_units.proof import enumeration, halves, shards, word_form, word_inputs
from learned_units.proof.counting import inputs_by_matched
from learned_units.proof.word_inputs import Halves

NOTHING = np.empty((1, 0), np.int8)  # a low half without positions


@pytest.fixture(autouse=True)
def own_records(monkeypatch, tmp_path, trained_cache):
    """What was finished in one test is not known in another."""
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))


# --- what the networks receive ----------------------------------------------------------------------------------------


def received(word_bits: int, a: int, b: int) -> dict[str, tuple[int, ...]]:
    """The family at each position of each pass up to the difference, by the families' own conditions."""
    fields = {"a": a, "b": b}
    found = {}
    sets = template_sets(word_bits)
    for step in schedule(word_bits, "sbn", word_bits):
        if step.network == "select":
            break
        rows, written = [], {field: 0 for _, field in step.writes}
        for i in range(word_bits):
            line = {}
            for name, source in step.reads:
                assert isinstance(source, Read)
                line[name] = fields[source.field] << source.shift >> i & 1
            families = sets[step.network].families
            rows.append(next((k for k, f in enumerate(families) if all(line[n] == v for n, v in f.when)), -1))
            for output, field in step.writes:
                written[field] |= (rows[i] >= 0 and output in families[rows[i]].then) << i
        fields |= written
        found[step.network] = tuple(rows)
    return found


@pytest.mark.parametrize("word_bits", [4, *slow(6, 7)])
def test_what_is_listed_is_what_every_pair_of_words_leads_to_each_once(word_bits):
    runs = [received(word_bits, a, b) for a in range(1 << word_bits) for b in range(1 << word_bits)]
    found = word_inputs.by_network(word_bits)
    for name in runs[0]:
        listed = list(map(tuple, found[name].tolist()))
        assert len(listed) == len(set(listed))
        assert set(listed) == {each[name] for each in runs}


@pytest.mark.parametrize(
    ("word_bits", "count"), [(4, 225), (5, 872), (8, 50_741), (12, 11_442_057), (16, 2_580_174_749)]
)
def test_as_many_inputs_of_the_first_pass_are_listed_as_are_counted(word_bits, count):
    listed = sum(len(low) * len(high) for low, high in word_inputs.first_in_halves(word_bits))
    first = template_sets(word_bits)["first"]
    assert listed == inputs_by_matched(first, neighbour=False).total() == count


@pytest.mark.parametrize(
    ("word_bits", "prefix", "difference"),
    [(8, 619, 1_597), (12, 18_128, 75_050), *slow((16, 530_798, 3_527_517))],
)
def test_once_the_first_pass_is_right_the_others_receive_far_less(word_bits, prefix, difference):
    found = word_inputs.after_first(word_bits)
    assert (len(found["prefix"]), len(found["difference"])) == (prefix, difference)
    assert len(found["select"]) == (2 << word_bits) - 1


def test_longer_words_are_refused():
    with pytest.raises(ValueError, match="words of 17 bits is too much to enumerate"):
        word_form.plan(load_unit("ntk-limit", 17, group=17))


# --- the enumeration in halves ----------------------------------------------------------------------------------------


def spoiled(params: EnsembleParams, how: str) -> EnsembleParams:
    order = np.random.default_rng(0).permutation(params.outer.shape[2])
    return {
        "right": params,
        "weak": params._replace(outer=params.outer * np.float32(0.5)),
        "scrambled": params._replace(outer=params.outer[:, :, order]),
        "one position": params._replace(inner=params.inner.at[:, 2].set(0)),
        "no numbers": params._replace(outer=params.outer.at[0, 0, 0].set(np.nan)),
    }[how]


@pytest.mark.parametrize("how", ["right", "weak", "scrambled", "one position", "no numbers"])
def test_halves_count_what_the_enumeration_counts(how, unit_of):
    first = template_sets(8)["first"]
    params = spoiled(unit_of("ntk", 8).params["first"], how)
    some = [Halves(low[::2], high[::3]) for low, high in word_inputs.first_in_halves(8)]
    inputs = np.concatenate([each.listed() for each in some])
    found = [halves.count(first, params, each) for each in some]
    exact = enumeration.enumerate_inputs(first, params, inputs=inputs)
    assert sum(each.inputs for each in found) == len(inputs)
    wrong = len(inputs) if how == "no numbers" else exact.wrong  # the enumeration stops at once where there are none
    assert sum(each.wrong for each in found) == wrong
    assert (wrong > 0) == (how != "right")
    smallest = float(np.min([each.smallest_margin for each in found]))
    assert smallest == pytest.approx(exact.smallest_margin, abs=1e-5, nan_ok=True)
    assert all(each.open >= each.wrong for each in found)


@pytest.mark.slow
def test_networks_trained_for_the_word_are_right_in_whatever_order_sums_are_made(unit_of):
    unit = unit_of("ntk", 8)  # in groups of 8
    plan = word_form.plan(unit)
    covered, example = shards.verify(unit, plan)
    inputs = word_inputs.by_network(8)
    assert (covered.cases, example) == (sum(map(len, inputs.values())), None)
    exact = [
        enumeration.enumerate_inputs(each, unit.params[name], inputs=inputs[name]).smallest_margin
        for name, each in template_sets(8).items()
        if len(inputs[name])
    ]
    assert covered.smallest_margin == pytest.approx(min(exact), abs=1e-5)


def summed(rows: np.ndarray, outer: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The prediction on some rows of weights, the hidden units added one after the other."""
    hidden = np.maximum(rows.sum(0), 0)
    value = np.zeros(outer.shape[0] * outer.shape[1], outer.dtype)
    for unit in order:
        value = value + hidden[unit] * outer.reshape(len(value), -1)[:, unit]
    return value / np.sqrt(max(len(rows), 1), dtype=outer.dtype)


def test_rounding_moves_a_margin_by_less_than_its_bound(unit_of):
    """Sums in float64, and in float32 one unit after the other in a random order, against what is said to be enough."""
    first = template_sets(8)["first"]
    params = unit_of("ntk", 8).params["first"]
    inner, outer, table = (np.asarray(each) for each in params)
    rng = np.random.default_rng(1)
    low, high = word_inputs.first_in_halves(8)[1]
    for row in rng.choice(len(high), 8, replace=False):
        given = Halves(low[:1], high[[row]])
        found = halves.count(first, params, given)
        allowed = found.smallest_margin - found.nearest
        (index,) = given.listed()
        rows = np.array([inner[family, position] for position, family in enumerate(index) if family >= 0])
        units = rng.permutation(outer.shape[2])
        side = np.where(first.specify(index), 1, -1)
        real, other = (
            (side * (summed(rows.astype(kind), outer.astype(kind), units) - np.repeat(table[1:, len(rows)], 8))).min()
            / table[0, len(rows)]
            for kind in (np.float64, np.float32)
        )
        assert 0 < abs(real - found.smallest_margin) < allowed
        assert abs(other - found.smallest_margin) < allowed
        assert allowed < 0.02


# --- wrong networks ---------------------------------------------------------------------------------------------------


def limit_with(word_bits: int, network: str, matched: int) -> Unit:
    """The closed form with a threshold of one network, at that many matched templates, that nothing passes."""
    unit = load_unit("ntk-limit", word_bits, group=word_bits)
    form = unit.params[network]
    return dataclasses.replace(
        unit, params={**unit.params, network: form._replace(table=form.table.at[1, matched].set(9))}
    )


@pytest.mark.parametrize(
    ("network", "matched"), [("first", 6), ("prefix", 3), ("difference", 5), ("select", 5), ("any", 4)]
)
def test_a_network_that_is_wrong_at_one_number_of_templates_is_found(network, matched):
    unit = limit_with(6, network, matched)
    _, example = shards.verify(unit, word_form.plan(unit))
    assert example is not None
    assert (example.network, sum(family >= 0 for family in example.input)) == (network, matched)


@pytest.mark.slow
def test_a_scrambled_ensemble_is_found_with_the_input_that_shows_it(unit_of):
    unit = unit_of("ntk", 8)
    weights = unit.params["difference"]
    broken = dataclasses.replace(
        unit, params={**unit.params, "difference": weights._replace(outer=weights.outer[:, :, ::-1])}
    )
    _, example = shards.verify(broken, word_form.plan(broken))
    assert example is not None and example.network == "difference"
    specified = template_sets(8)["difference"].specify(np.array(example.input, np.int8))
    assert example.value != specified[example.position]


@pytest.mark.slow
def test_a_margin_that_rounding_could_take_is_not_enough(unit_of):
    first = template_sets(8)["first"]
    params = unit_of("ntk", 8).params["first"]
    inputs = Halves(NOTHING, word_inputs.by_network(8)["first"][:64])
    whole = halves.count(first, params, inputs)
    assert (whole.wrong, whole.open) == (0, 0)
    # A threshold is moved to within 1e-5 half gaps of the prediction.
    _, prediction, margin = next(enumeration.signed_margins(first, params, inputs.high, 64))
    case, place = np.unravel_index(margin.argmin(), margin.shape)
    number, output = int((inputs.high[case] >= 0).sum()), int(place) // 8
    value, side = (
        prediction.value[case, place],
        np.sign(prediction.value[case, place] - prediction.threshold[case, place]),
    )
    near = params.table.at[1 + output, number].set(value - side * 1e-5 * params.table[0, number])
    found = halves.count(first, params._replace(table=near), Halves(NOTHING, inputs.high[[case]]))
    assert found.open == 1
    assert found.smallest_margin < 1e-4


# --- shards -----------------------------------------------------------------------------------------------------------


def test_any_shard_can_be_run_again_and_a_record_goes_on_where_it_was_left(monkeypatch):
    monkeypatch.setattr(word_form, "SIDE", 16)
    word_form.pieces.cache_clear()
    unit = load_unit("ntk-limit", 5, group=5)
    plan = word_form.plan(unit)
    every = sum(map(len, word_inputs.by_network(5).values()))
    assert sum(plan.cases_in(number) for number in range(plan.shards)) == every
    first, _ = shards.verify(unit, plan, most_shards=plan.shards - 2)
    assert first.shards == plan.shards - 2
    assert shards.verify(unit, plan)[0] == shards.finished(plan)
    assert shards.finished(plan).cases == every
    again = plan.run(unit, plan.shards - 1, lambda done, of: None)
    assert shards.listed(plan)[plan.shards - 1] == (again.cases, again.smallest_margin)
    word_form.pieces.cache_clear()
