"""The check of multiplication: it predicts what the networks' closed form predicts, and sees what is wrong."""

import jax.numpy as jnp
import numpy as np
import pytest

from learned_units.circuits import algorithm, multiplication
from learned_units.circuits.state_templates import TemplateList
from learned_units.experiments import products
from learned_units.networks import predictor, readout


def silent(part: float) -> None:
    """Progress that nobody looks at."""


@pytest.mark.slow
def test_a_pass_by_rows_decides_what_the_closed_form_decides_on_any_state():
    (templates,) = multiplication.ripple(3).networks
    assert isinstance(templates, TemplateList)
    rows = products.rows_of(templates)
    bits = [(field, i) for field, length in templates.reads for i in range(length)]
    state = np.random.default_rng(0).random((300, len(bits))) < 0.2
    matched = algorithm.match(templates, state.astype(np.float32))
    assert templates.most_matched < int(np.asarray(matched).sum(1).max())  # some are beyond what is ever reached
    expected = predictor.closed_form(templates, readout.sign).predict(templates, (matched,))
    calibrated = predictor.closed_form(templates, readout.calibrated).predict(templates, (matched,))
    before = products.Passed(
        jnp.asarray(state.T[np.argsort([rows.place[bit] for bit in bits])]),
        jnp.full(len(state), np.inf, jnp.float32),
        jnp.zeros(len(state), bool),
    )
    after = products.one_pass(rows, before)
    own_order = np.asarray(after.state)[[rows.place[bit] for bit in bits]].T
    assert (own_order == np.asarray(expected.value > 0)).all()
    distance = np.asarray((calibrated.value - calibrated.threshold) / calibrated.half_gap)
    np.testing.assert_allclose(np.asarray(after.margin), np.abs(distance).min(1), rtol=1e-4, atol=1e-5)
    differs = ((np.asarray(expected.value) > 0) != (distance > 0)).any(1)
    assert (np.asarray(after.differs) == differs).all()


def test_every_product_of_up_to_3_bits_is_right():
    found = products.shift_and_add(multiplication.ripple(3), 3, silent)
    assert found[:2] == (0, 0) and found.margin > 0.999


@pytest.mark.slow
def test_both_designs_multiply_all_factors_of_up_to_4_bits():
    table = products.measure(True, lambda what, part: None)
    assert table.column("pairs") == [4, 16, 64, 256]
    for name in ("wrong, sign", "readouts differ", "wrong, in groups"):
        assert table.column(name) == [0] * 4


def test_templates_that_assert_other_bits_multiply_wrongly():
    task = multiplication.ripple(3)
    (templates,) = task.networks
    assert isinstance(templates, TemplateList)
    p = ("p", 1)
    broken = tuple(each._replace(then=(("p", 2),)) if each.then == (p,) else each for each in templates.templates)
    assert broken != templates.templates
    wrong = type(task)(**{**vars(task), "networks": (type(templates)(**{**vars(templates), "templates": broken}),)})
    assert products.shift_and_add(wrong, 3, silent).wrong > 10
