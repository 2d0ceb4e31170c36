"""Failure bounds: against sums done by hand, and against ensembles small enough to fail."""

import itertools
import math
import statistics

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from learned_units.circuits import subtract_branch
from learned_units.networks import kernel, readout, training, two_layer
from learned_units.networks.ensemble import make_params
from learned_units.proof import certificate, enumeration, finite_width
from learned_units.proof.certificate import Load
from learned_units.proof.counting import inputs_by_matched
from learned_units.store import Verified
from learned_units.units.ntk import NtkSpec

SEED = 5
K, N = 8, 4  # templates, and matched ones, of the simulations


# --- what is counted --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [1, 2, 3, 8])
def test_counted_inputs_are_those_that_enumeration_lists(group):
    for template_set in subtract_branch.template_sets(group).values():
        listed = np.unique((template_set.reachable_inputs() >= 0).sum(1), return_counts=True)
        counted = inputs_by_matched(template_set, neighbour=True)
        assert counted == dict(zip(listed[0].tolist(), listed[1].tolist(), strict=True)), template_set.name


@pytest.mark.slow
def test_a_word_has_fewer_inputs_than_a_group_inside_one():
    first = subtract_branch.template_sets(8)["first"]
    assert inputs_by_matched(first, neighbour=True).total() == 122_969
    assert inputs_by_matched(first, neighbour=False).total() == 50_741
    seen = set()
    for a, b in itertools.product(range(256), repeat=2):  # every pair of 8-bit words
        bits = [((a >> i) & 1, (b >> i) & 1, (a << 1 >> i) & 1, (b << 1 >> i) & 1) for i in range(8)]
        lines = [dict[str, int](zip(("a", "b", "a_below", "b_below"), each, strict=True)) for each in bits]
        seen.add(tuple(tuple(all(at[n] == v for n, v in f.when) for f in first.families) for at in lines))
    assert len(seen) == 50_741


@pytest.mark.slow
@pytest.mark.parametrize(
    "word_bits, isa, group", [(16, "subleq", 8), (16, "sbn", 8), (64, "subleq", 8), (12, "sbn", 12)]
)
def test_the_decisions_of_a_step_are_those_that_explain_lists(word_bits, isa, group):
    from learned_units import load_unit

    unit = load_unit("ntk-limit", word_bits, isa, group=group)
    assert isinstance(unit.spec, NtkSpec)
    loads = certificate.loads(unit.spec)
    assert sum(load.evaluations for load in loads) == unit.spec.evaluations
    listed = [decision.network for decision in unit.explain(3, 5)]
    for load in loads:
        # the positions after the word's end, in its last group, are counted but decide nothing
        assert listed.count(load.network) <= load.decisions
        if word_bits % group == 0 and load.network in ("first", "prefix", "difference"):
            assert listed.count(load.network) == load.decisions


# --- the exact Gaussian bound -----------------------------------------------------------------------------------------


def test_one_decision_needs_the_networks_that_its_quantile_says():
    load = Load("one", 128, 32, ((4, 1),), 1)
    for chosen in certificate.READOUTS:
        nearest = min(certificate.worst_distance(chosen, 128, 4, n, False) for n in range(1, 33))
        by_hand = math.ceil((2.3263478740408408 / nearest) ** 2)  # the Gaussian exceeds that with probability 0.01
        found = certificate.networks_needed(lambda many, r=chosen: certificate.failure_bound([load], many, r), 0.01)
        assert found == by_hand


def test_at_32_of_128_templates_the_calibrated_readout_needs_a_third_of_what_the_sign_readout_does():
    needed = {}
    for chosen in certificate.READOUTS:
        nearest = min(certificate.distance(chosen, 128, 4, 32, m) for m in (0, 1))
        needed[chosen] = math.ceil((2.3263478740408408 / nearest) ** 2)
    assert needed == {"calibrated": 285, "sign": 776}


def test_a_bound_grows_with_the_run_and_falls_with_the_ensemble():
    loads = [certificate.load_of(each, 2) for each in subtract_branch.template_sets(8).values()]
    bounds = [certificate.failure_bound(loads, 200, "calibrated", steps) for steps in (1, 10, 100)]
    assert bounds[1] == pytest.approx(10 * bounds[0]) and bounds[2] == pytest.approx(100 * bounds[0])
    fewer = certificate.failure_bound(loads, 150, "calibrated", 1)
    assert 0 < bounds[0] < fewer < 1
    needed = certificate.networks_needed(lambda many: certificate.failure_bound(loads, many, "calibrated", 100), 1e-3)
    assert needed is not None
    assert certificate.failure_bound(loads, needed, "calibrated", 100) <= 1e-3
    assert certificate.failure_bound(loads, needed - 1, "calibrated", 100) > 1e-3


def test_a_readout_on_the_wrong_side_is_mended_by_no_ensemble():
    load = Load("half", 40, 20, ((20, 1),), 1)  # the sign readout's condition fails: c n > k
    assert not readout.sign_readout_is_right(40, 20, 20)
    assert certificate.networks_needed(lambda many: certificate.failure_bound([load], many, "sign"), 0.01) is None
    assert certificate.paper_networks([load], 0.01, 1) is None
    assert certificate.networks_needed(lambda many: certificate.failure_bound([load], many, "calibrated"), 0.01)


def test_the_papers_bound_asks_for_more_than_the_exact_one():
    for group in (4, 8, 16):
        loads = [certificate.load_of(each, 1) for each in subtract_branch.template_sets(group).values()]
        decisions = sum(load.decisions for load in loads)
        exact = certificate.networks_needed(lambda many, at=loads: certificate.failure_bound(at, many, "sign"), 0.01)
        paper = certificate.paper_networks(loads, 0.01, decisions)
        assert exact is not None and paper is not None and paper > exact


# --- simulation: plain ensembles small enough to fail -----------------------------------------------------------------


@pytest.fixture(scope="module")
def predictions() -> np.ndarray:
    """Predictions of 3,000 plain networks of width 512, each trained by itself, on N of K templates: [networks, K].

    Every template asserts an output of its own (c = 1), so the first N outputs are to be 1 and the others 0.
    """
    x = np.zeros(K, np.float32)
    x[:N] = 1 / math.sqrt(N)
    found = []
    for seed in range(3):
        trained = training.train(
            np.eye(K, dtype=np.float32), networks=1000, width=512, initialisation="plain", seed=seed
        )
        hidden = jnp.einsum("rhut,t->rhu", trained.ensemble.hidden, jnp.asarray(x))
        found.append(jnp.einsum("rhu,rhuo->ro", jax.nn.relu(hidden), trained.ensemble.output) / np.float32(512**0.5))
    return np.concatenate([np.asarray(each, np.float64) for each in found])


def failures(predictions: np.ndarray, networks: int, chosen: str) -> tuple[float, float, int]:
    """How often one decision of an ensemble's mean, and any of its K, is wrong; and the number of ensembles."""
    ensembles = len(predictions) // networks
    mean = predictions[: ensembles * networks].reshape(ensembles, networks, K).mean(1)
    threshold = 0.0
    if chosen == "calibrated":
        form = kernel.coefficients(K, N)
        threshold = form.gap[N] / 2 - form.common[N]
    wrong = (mean > threshold) != (np.arange(K) < N)
    return wrong.mean(), wrong.any(1).mean(), ensembles


@pytest.mark.slow
@pytest.mark.parametrize(
    "networks, chosen", [(1, "calibrated"), (3, "calibrated"), (6, "calibrated"), (1, "sign"), (6, "sign")]
)
def test_small_plain_ensembles_fail_at_the_predicted_rate(predictions, networks, chosen):
    """Width 512 is not infinite, and outputs share hidden weights: 15 % and 4 standard errors are allowed."""
    expected = statistics.mean(
        [
            certificate.tail(math.sqrt(networks) * certificate.distance(chosen, K, 1, N, m))
            for m in [1] * N + [0] * (K - N)
        ]
    )
    one, some, ensembles = failures(predictions, networks, chosen)
    assert 0.005 < expected < 0.5  # small enough to fail
    assert one == pytest.approx(expected, abs=0.15 * expected + 4 * math.sqrt(expected / (ensembles * K))), (
        one,
        expected,
    )
    union = certificate.failure_bound([Load("all", K, N, ((1, K),), 1)], networks, chosen)
    assert some <= union + 4 * math.sqrt(union / ensembles)


@pytest.mark.slow
@pytest.mark.parametrize("chosen", certificate.READOUTS)
def test_ensembles_of_the_certified_size_fail_less_often_than_delta(predictions, chosen):
    """At delta = 0.2, for these K decisions, over all ensembles that 3,000 networks make."""

    def bound(networks: int) -> float:
        distances = (certificate.distance(chosen, K, 1, N, m) for m in [1] * N + [0] * (K - N))
        return sum(certificate.tail(math.sqrt(networks) * each) for each in distances)

    needed = certificate.networks_needed(bound, 0.2)
    assert needed is not None and needed > 1
    _, some, ensembles = failures(predictions, needed, chosen)
    assert ensembles >= 10
    assert some <= 0.2 + 3 * math.sqrt(0.2 * 0.8 / ensembles), (needed, some)


# --- the estimate from z ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_narrow_antisymmetric_networks_fail_about_as_often_as_their_z_says():
    """Five of 48 units each, on every input with two or more matched templates: the rate is within a factor of 2."""
    template_set = subtract_branch.template_sets(4)["difference"]
    inputs = template_set.reachable_inputs()
    inputs = inputs[(inputs >= 0).sum(1) >= 2]
    limits = certificate.limit.make_params(template_set, readout.calibrated(template_set))
    predicted, wrong = 0.0, 0.0
    for seed in range(5):
        trained = training.train(
            template_set.labels(), networks=1, width=48, initialisation="antisymmetric", seed=SEED + seed
        )
        params = make_params(template_set, *two_layer.merge(trained.ensemble), readout.calibrated(template_set))
        found = enumeration.predict_inputs(params, inputs, template_set=template_set)
        exact = enumeration.predict_inputs(limits, inputs, template_set=template_set)
        error = np.asarray((found.value - exact.value) / exact.half_gap)
        z = 1 / np.sqrt((error**2).mean(0))
        load = Load("difference", template_set.size, 4, ((4, 4),), 1)
        predicted += certificate.estimate([load], {"difference": z.tolist()}, 1).failure
        wrong += (np.asarray(found.value > found.threshold) != template_set.specify(inputs)).mean(0).sum()
    assert wrong > 0.02  # narrow enough to fail
    assert 0.5 < predicted / wrong < 2, (predicted, wrong)


@pytest.mark.slow
def test_z_is_measured_for_every_output():
    template_set = subtract_branch.template_sets(12)["select"]
    trained = training.train(template_set.labels(), networks=1, width=512, initialisation="variance-reduced", seed=SEED)
    params = make_params(template_set, *two_layer.merge(trained.ensemble), readout.calibrated(template_set))
    found = finite_width.measure(template_set, params, 12, 12)
    assert len(found.z_of_output) == 12 and found.z == min(found.z_of_output)
    assert len(set(found.z_of_output)) == 12 and max(found.z_of_output) < 100


@pytest.mark.slow
def test_a_network_that_predicts_no_number_has_no_z():
    template_set = subtract_branch.template_sets(12)["select"]
    trained = training.train(template_set.labels(), networks=1, width=512, initialisation="variance-reduced", seed=SEED)
    inner, outer = two_layer.merge(trained.ensemble)
    spoiled = np.array(outer)
    spoiled[..., 3] = np.nan
    params = make_params(template_set, inner, spoiled, readout.calibrated(template_set))
    found = finite_width.measure(template_set, params, 12, 12)
    assert np.isnan(found.z) and np.isnan(found.largest_error) and np.isnan(found.z_of_output).sum() == 1


# --- units ------------------------------------------------------------------------------------------------------------


def test_the_default_unit_is_certified_by_enumeration_and_the_limit_by_algebra(unit_of):
    trained = certificate.of_unit(unit_of("ntk"), 10**9)
    assert trained is not None and (trained.kind, trained.failure) == ("exhaustive", 0)
    assert f"{unit_of('ntk').manifest.verified.inputs:,} inputs" in trained.covers
    limit = certificate.of_unit(unit_of("ntk-limit"), 10**9)
    assert limit is not None and (limit.kind, limit.failure) == ("algebraic", 0)
    assert certificate.of_unit(unit_of("native"), 1) is None


def test_weights_without_a_verification_are_not_certified(unit_of):
    import dataclasses

    assert certificate.of_unit(dataclasses.replace(unit_of("ntk"), manifest=None), 1) is None


def test_the_estimate_of_a_sampled_unit_grows_with_the_run(unit_of):
    import dataclasses

    unit = unit_of("ntk")
    networks = {name: dataclasses.replace(each, z=5.0) for name, each in unit.manifest.networks.items()}
    manifest = dataclasses.replace(unit.manifest, networks=networks, verified=Verified(kind="inputs sampled", z=5.0))
    sampled = dataclasses.replace(unit, manifest=manifest)
    one, hundred = (certificate.of_unit(sampled, steps) for steps in (1, 100))
    assert one is not None and hundred is not None and one.kind == hundred.kind == "estimate"
    assert isinstance(unit.spec, NtkSpec)
    decisions = sum(load.decisions for load in certificate.loads(unit.spec))
    assert one.failure == pytest.approx(decisions * 2.8665e-7, rel=1e-3)  # a Gaussian beyond 5
    assert hundred.failure == pytest.approx(100 * one.failure)
