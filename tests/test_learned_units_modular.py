"""Experts for modular arithmetic: analytic ones on every input, grokked ones on what they never saw, their spectra."""

import numpy as np
import pytest

from learned_units.modular import experts, residues, spectrum, training
from learned_units.modular.network import answers, every_input, make_network, verify

MODULI = (7, 16, 23, 32, 97, *(pytest.param(each, marks=pytest.mark.slow) for each in (59, 113, 128, 257)))
PRIMES = (7, 23, 59, 97, pytest.param(113, marks=pytest.mark.slow), pytest.param(257, marks=pytest.mark.slow))
slow = pytest.mark.slow


def check_exhaustively(network, wanted) -> None:
    """Every input answered as Python's integers do, by the function that is asked at run time."""
    rows = every_input(network.classes, network.terms)
    classes, margins = (np.asarray(each) for each in answers(network, rows))
    assert classes.tolist() == [wanted(*row) for row in rows.tolist()]
    assert margins.min() > 0


# --- analytic ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("modulus", MODULI)
def test_analytic_addition_and_subtraction_are_right_on_every_input(modulus):
    for sign in (1, -1):
        expert = experts.addition(modulus, (1, sign))
        assert expert.verification.inputs == modulus**2 and expert.verification.wrong == 0
        assert expert.verification.smallest_margin >= experts.MARGIN_FLOOR
        check_exhaustively(expert.network, lambda a, b, sign=sign: (a + sign * b) % modulus)


@pytest.mark.parametrize("prime", PRIMES)
def test_analytic_multiplication_is_right_on_every_input_zeros_included(prime):
    expert = experts.multiplication(prime)
    check_exhaustively(expert.network, lambda a, b: a * b % prime)


@pytest.mark.parametrize(
    "coefficients", [(3, 5), (0, 1), (96, 96)] + [pytest.param((c, 7), marks=slow) for c in range(97)]
)
def test_coefficients_are_part_of_the_weights(coefficients):
    c, d = coefficients
    check_exhaustively(experts.addition(97, coefficients).network, lambda a, b: (c * a + d * b) % 97)


@pytest.mark.parametrize("exponents", [(2, 1), (3, 4), (0, 2), (22, 21)])
def test_exponents_are_part_of_the_weights(exponents):
    e, f = exponents
    check_exhaustively(experts.multiplication(23, exponents).network, lambda a, b: a**e * b**f % 23)


def test_three_terms_modulo_23_are_right_on_every_input():
    expert = experts.addition(23, (1, 1, 1))
    assert (expert.network.terms, expert.verification.inputs) == (3, 23**3)
    check_exhaustively(expert.network, lambda a, b, c: (a + b + c) % 23)
    check_exhaustively(experts.multiplication(7, (1, 1, 1)).network, lambda a, b, c: a * b * c % 7)


@pytest.mark.parametrize("modulus", [5, pytest.param(11, marks=slow)])
def test_four_terms_are_right_on_every_input(modulus):
    expert = experts.addition(modulus, (1, 2, 3, 4))
    check_exhaustively(expert.network, lambda a, b, c, d: (a + 2 * b + 3 * c + 4 * d) % modulus)


def test_the_first_activation_that_separates_three_terms_is_the_cube():
    """With squares no product of three cosines arises: the same weights know nothing of a sum of three."""
    inner, outer = experts.addition_weights(7, (1, 1, 1), 4096, np.random.default_rng(0))
    rows = every_input(7, 3)
    hidden = inner[0][rows[:, 0]] + inner[1][rows[:, 1]] + inner[2][rows[:, 2]]
    right = rows.sum(1) % 7
    assert np.mean((hidden**3 @ outer).argmax(1) == right) == 1
    assert np.mean((hidden**2 @ outer).argmax(1) == right) < 0.4


def test_a_draw_that_is_wrong_somewhere_is_refused_and_the_next_one_taken():
    assert experts.addition(7, units=32, floor=experts.ROUNDING_FLOOR).draw > 0
    with pytest.raises(ValueError, match="none of 8 draws with 16 units is right on all 9,409 inputs"):
        experts.addition(97, units=16)


def test_verification_sees_a_single_wrong_input():
    expert = experts.addition(7)
    rows = every_input(7, 2)
    right = rows.sum(1) % 7
    assert verify(expert.network, rows, right).wrong == 0
    right[20] = (right[20] + 1) % 7
    found = verify(expert.network, rows, right)
    assert found.wrong == 1 and found.smallest_margin < 0


def test_noise_of_the_same_scale_answers_by_chance():
    network = experts.addition(23).network
    rng = np.random.default_rng(0)
    inner, outer = (rng.normal(0, np.std(each), each.shape) for each in (network.inner, network.outer))
    rows = every_input(23, 2)
    assert verify(make_network(inner, outer), rows, rows.sum(1) % 23).wrong > 0.85 * len(rows)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: experts.multiplication(12), "a product needs a prime modulus, and 12 is not prime"),
        (lambda: experts.multiplication(1), "1 is not prime"),
        (lambda: experts.multiplication(7, (1, -1)), "exponents must be 0 or more, not -1"),
        (lambda: experts.addition(7, (1,)), "an expert must have 2 to 4 terms, not 1"),
        (lambda: experts.addition(7, (1,) * 5), "an expert must have 2 to 4 terms, not 5"),
    ],
)
def test_experts_that_cannot_be_are_value_errors(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_discrete_logarithms_turn_products_into_sums():
    assert [p for p in range(30) if residues.is_prime(p)] == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
    for prime in (2, 3, 97, 257):
        root, logarithm = residues.primitive_root(prime), residues.logarithms(prime)
        assert logarithm[0] == -1
        assert [pow(root, int(logarithm[x]), prime) for x in range(1, prime)] == list(range(1, prime))


# --- grokked ----------------------------------------------------------------------------------------------------------

A, B = np.indices((97, 97), np.int64)
LEARNABLE = {"a+b": A + B, "a-b": A - B, "a b": A * B, "a^2+b^2": A * A + B * B}


@pytest.fixture(scope="module")
def grokked():
    """grokked(name): the trained table of LEARNABLE, once."""
    import functools

    return functools.cache(lambda name: training.train(LEARNABLE[name] % 97, units=256, fraction=0.5))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a+b", *(pytest.param(each, marks=slow) for each in ("a b", "a-b", "a^2+b^2"))])
def test_half_of_a_table_modulo_97_teaches_the_other_half(name, grokked):
    trained = grokked(name)
    assert trained.in_training.sum() == 4704  # of 9,409
    assert trained.held_out_accuracy == 1 and trained.curve.train_accuracy[-1] == 1
    network = make_network(trained.inner, trained.outer, trained.nominal)
    table = LEARNABLE[name].reshape(-1) % 97
    classes, _ = answers(network, every_input(97, 2))
    assert np.asarray(classes).tolist() == table.tolist()


@slow
def test_the_held_out_half_comes_long_after_the_training_half(grokked):
    curve = grokked("a+b").curve
    learned = curve.epoch[np.argmax(curve.train_accuracy == 1)]
    assert curve.held_out_accuracy[curve.epoch == learned] < 0.1
    assert curve.epoch[-1] > 2 * learned
    assert curve.epoch[0] == 0 and curve.held_out_accuracy[0] < 0.05


@slow
def test_a_polynomial_without_the_form_stays_at_chance_however_well_it_is_fitted():
    labels = (A**3 + A * B**2 + B) % 97
    trained = training.train(labels, units=256, fraction=0.5, most_epochs=600)
    assert trained.curve.train_accuracy[-1] == 1
    assert trained.held_out_accuracy < 0.03


def test_what_is_held_out_is_never_trained_on():
    """Wrong answers in the held-out rows change the weights by nothing."""
    labels = (A + B)[:23, :23] % 23
    rng = np.random.default_rng(0)
    chosen = training.split(labels.size, 0.7, rng)
    spoilt = labels.reshape(-1).copy()
    spoilt[~chosen] = 0
    one, other = (
        training.train(each.reshape(23, 23), units=32, fraction=0.7, most_epochs=30) for each in (labels, spoilt)
    )
    assert (one.in_training == chosen).all() and (other.in_training == chosen).all()
    assert (one.inner == other.inner).all() and (one.outer == other.outer).all()
    assert one.held_out_accuracy != other.held_out_accuracy


@pytest.mark.slow
def test_grokked_weights_are_periodic_like_the_analytic_ones_and_were_not_before(grokked):
    for name, measure in (("a+b", spectrum.measure), ("a b", spectrum.measure_products)):
        trained = grokked(name)
        before, after = measure(*trained.start), measure(trained.inner, trained.outer)
        assert before.participation.mean() < 0.05 and after.participation.mean() > 0.35
        assert before.concentration.mean() < 0.12 and after.concentration.mean() > 0.5
        assert before.agreeing.mean() < 0.02 and after.agreeing.mean() > 0.8
    analytic = experts.addition_weights(97, (1, 1), 256, np.random.default_rng(0))
    assert spectrum.measure(*analytic).participation == pytest.approx(1)
    assert spectrum.measure(*analytic).agreeing.all()
    # In the order of the values themselves a product's weights look like noise: the logarithm makes them periodic.
    assert spectrum.measure(*(getattr(grokked("a b"), part) for part in ("inner", "outer"))).participation.mean() < 0.1
