"""Formulas are what they are simplified to."""

import numpy as np
from bit_formulas import value
from hypothesis import given
from hypothesis import strategies as st

from learned_units.proof import formulas
from learned_units.proof.formulas import Bit

made = st.recursive(
    st.one_of(st.sampled_from([0, 1]), st.builds(Bit, st.just("x"), st.integers(0, 3))),
    lambda inner: st.one_of(
        st.builds(formulas.opposite, inner),
        st.builds(formulas.all_of, st.lists(inner, max_size=3)),
        st.builds(formulas.some_of, st.lists(inner, max_size=3)),
        st.builds(formulas.choice, inner, inner, inner),
    ),
    max_leaves=12,
)


@given(made, made, made, st.lists(st.booleans(), min_size=4, max_size=4))
def test_a_formula_that_is_simplified_says_the_same(one, other, third, x):
    known = {"x": np.array(x)}
    of = [value(each, known) for each in (one, other, third)]
    assert value(formulas.opposite(one), known) is not of[0]
    assert value(formulas.all_of((one, other, third)), known) is all(of)
    assert value(formulas.some_of((one, other, third)), known) is any(of)
    assert value(formulas.choice(one, other, third), known) is (of[1] if of[0] else of[2])


@given(st.integers(0, 15), st.integers(0, 15))
def test_a_word_equals_a_number_where_all_its_bits_do(word, number):
    known = {"x": np.array([word >> i & 1 for i in range(4)])}
    assert value(formulas.equals(formulas.symbols("x", 4), number), known) is (word == number)
