"""The experiments on modular polynomials: what is learned, how wide experts must be."""

from typing import Any

import numpy as np
import pytest

from learned_units.experiments import modular, modular_width
from learned_units.modular import experts

FORMLESS = [each for each in modular.CANDIDATES if each.form is None]


@pytest.fixture(scope="module")
def polynomials():
    return modular.measure(True, lambda what, part: None)


@pytest.mark.slow
def test_polynomials_of_the_form_are_learned_and_the_others_stay_at_chance(polynomials):
    expected = polynomials.column("paper expects")
    assert expected.count("yes") == 7 and expected.count("no") == 4
    assert polynomials.column("learned") == expected
    columns: list[list[Any]] = [polynomials.column(name) for name in ("paper expects", "held out %", "training %")]
    for expects, held_out, training in zip(*columns, strict=True):
        assert training == 100
        assert held_out == 100 if expects == "yes" else held_out < 15


@pytest.mark.parametrize("modulus", [23, 97])
@pytest.mark.parametrize("candidate", FORMLESS, ids=lambda each: each.text)
def test_the_polynomials_said_to_have_no_form_have_none(candidate, modulus):
    """Let f = h(g1(a) + g2(b)), all columns different. Then g2 takes all values, and every row holds the same ones."""
    table = modular.table_of(candidate.text, modulus)
    assert len({tuple(column) for column in table.T.tolist()}) == modulus
    rows = np.sort(table, axis=1)
    assert (rows != rows[0]).any()


@pytest.mark.slow
def test_the_weights_of_sums_and_products_become_periodic(polynomials):
    names = ("IPR before", "IPR after", "units of one frequency %")
    columns: list[list[Any]] = [polynomials.column(name) for name in names]
    for before, after, agreeing in zip(*columns, strict=True):
        assert (before is None) == (after is None) == (agreeing is None)
        if before is not None:
            assert before < 0.2 and after > 0.45 and agreeing > 80
    grokking, spectra = polynomials.panels
    assert len(grokking.curves) == 6 and len(spectra.curves) == 6
    assert grokking.curves[0].y[0] < 0.2 and grokking.curves[0].y[-1] == 1


def test_a_verdict_is_about_held_out_rows_and_chance():
    assert [modular.verdict(*each) for each in ((1.0, 0.01), (0.999, 0.01), (0.63, 0.013), (0.02, 0.0205))] == [
        "yes",
        "in part",
        "in part",
        "no",
    ]


@pytest.mark.slow
def test_the_width_found_is_right_on_every_input_and_the_one_below_is_not():
    table = modular_width.measure(True, lambda what, part: None)
    rows: list[Any] = list(table.rows)
    for row in rows:
        task, modulus, terms, weights, inputs, units, refused, margin = row
        assert inputs == int(modulus) ** int(terms) and weights == "analytic" and margin > 0
        make = experts.multiplication if task == "a b" else experts.addition
        factors = (1, -1) if task == "a - b" else (1,) * int(terms)
        assert make(modulus, factors, units, experts.ROUNDING_FLOOR).draw == refused
        if units > modular_width.NARROWEST:
            with pytest.raises(experts.NoDrawAccepted):
                make(modulus, factors, units // 2, experts.ROUNDING_FLOOR)
    assert [panel.title for panel in table.panels] == ["Two terms", "Sums of many terms"]
