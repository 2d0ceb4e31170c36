"""Modular polynomials: read, compiled to experts, and right on their whole tables."""

import itertools

import numpy as np
import pytest

from learned_units.modular import experts, polynomials, syntax
from learned_units.modular.polynomials import compile_polynomial
from learned_units.modular.syntax import PolynomialError, exact, parse

SEED = 240_603_495
slow = pytest.mark.slow


def random_polynomial(rng: np.random.Generator, prime: int) -> tuple[str, dict[tuple[int, int], int]]:
    """At most five terms of degree at most four in a and b: the text, and coefficients by powers."""
    terms: dict[tuple[int, int], int] = {}
    texts = []
    for _ in range(rng.integers(1, 6)):
        degree = int(rng.integers(0, 5))
        powers = (int(rng.integers(0, degree + 1)), 0)
        powers = (powers[0], degree - powers[0])
        coefficient = int(rng.integers(1, prime))
        sign = int(rng.choice([1, -1]))
        terms[powers] = terms.get(powers, 0) + sign * coefficient
        letters = "".join(f" {name}^{power}" for name, power in zip("ab", powers, strict=True) if power)
        texts.append(f"{'+' if sign == 1 else '-'} {coefficient}{letters}")
    return " ".join(texts) + f" mod {prime}", terms


@pytest.mark.slow
@pytest.mark.parametrize("count", [20, pytest.param(200, marks=slow)])
def test_random_polynomials_modulo_97_are_right_on_their_whole_tables(count):
    rng = np.random.default_rng(SEED)
    a, b = (each.reshape(-1).astype(object) for each in np.indices((97, 97)))
    for _ in range(count):
        text, terms = random_polynomial(rng, 97)
        tree = compile_polynomial(parse(text))
        found = tree.verify()
        assert found.wrong == 0, text
        # Apart from all of this: the coefficients the text was made from, by Python's integers.
        values = {"a": np.repeat(np.arange(97), 97), "b": np.tile(np.arange(97), 97)}
        asked = tree.evaluate({name: values[name] for name in tree.polynomial.variables})
        wanted = np.zeros(97 * 97, object)
        for (i, j), coefficient in terms.items():
            wanted += coefficient * a**i * b**j
        if tree.polynomial.variables:
            assert asked.answers.tolist() == (wanted % 97).tolist(), text
        assert min(found.margins, default=1) > 0.1


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("3a^2 b + 5b + 7 mod 97", lambda a, b: 3 * a**2 * b + 5 * b + 7),
        ("a^3+ab^2+b mod 97", lambda a, b: a**3 + a * b**2 + b),
        ("(a + b)^4 - a^2 mod 23", lambda a, b: (a + b) ** 4 - a**2),
        ("(2a - b)(a + 3b)^2 mod 23", lambda a, b: (2 * a - b) * (a + 3 * b) ** 2),
        ("-a**2*b + 2(a+1)(b+1)a mod 7", lambda a, b: -(a**2) * b + 2 * (a + 1) * (b + 1) * a),
        ("a^100 + 100 b^7 mod 5", lambda a, b: a**100 + 100 * b**7),
        ("5a - 7 b + 3 mod 12", lambda a, b: 5 * a - 7 * b + 3),
        ("2*3 a + 4^2 * b mod 16", lambda a, b: 6 * a + 16 * b),
        ("((a^2)^3 b)^2 + (a - a)b mod 11", lambda a, b: a**12 * b**2),
        ("a b mod 2", lambda a, b: a * b),
        ("a^2 b + b mod 3", lambda a, b: a**2 * b + b),
    ],
)
def test_what_is_written_is_what_is_computed(text, function):
    polynomial = parse(text)
    tree = compile_polynomial(polynomial)
    p = polynomial.modulus
    a, b = np.repeat(np.arange(p), p), np.tile(np.arange(p), p)
    values = {"a": a, "b": b}
    wanted = [function(x, y) % p for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert exact(polynomial, values).tolist() == wanted
    assert tree.evaluate(values).answers.tolist() == wanted
    assert tree.verify().wrong == 0 and tree.verify().rows == p**2


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("3a^2 b + 5b + 7 mod 97", ["a^2 b", "3 e1 + 5 b", "e2 + 7"]),
        ("a + b mod 12", ["a + b"]),
        ("4a mod 9", ["4 a"]),
        ("a^3 mod 7", ["a^3"]),
        ("ab + ba mod 7", ["a b", "2 e1"]),
        ("(a+b)^2 + (b+a)^2 mod 7", ["a + b", "e1^2", "b + a", "e3^2", "e2 + e4"]),
        ("(ab)^3 a^4 mod 97", ["a^7 b^3"]),
        ("a^97 + 0b + 97c mod 97", []),
        ("a - a + 3 mod 8", []),
        ("5 mod 8", []),
    ],
)
def test_a_polynomial_compiles_to_these_experts(text, steps):
    tree = compile_polynomial(parse(text))
    assert [tree.describe(apply) for apply in tree.experts] == steps
    assert tree.units == sum(network.units for network in tree.networks)
    if not steps:
        assert tree.verify().wrong == 0


def test_an_expert_with_coefficients_is_the_verified_one_with_its_rows_in_another_order():
    """So it is the formula's, with the phases of the verified one."""
    network = experts.addition(23).network
    zero = polynomials.Constant(0)
    permuted = polynomials.network_of(polynomials.Apply("sum", (zero, zero), (5, 22)), 23)
    for s, coefficient in enumerate((5, 22)):
        for value in range(23):
            assert (permuted.inner[s, value] == network.inner[s, coefficient * value % 23]).all()
    rng = (np.random.default_rng(3), np.random.default_rng(3))
    plain, scaled = (
        experts.addition_weights(23, coefficients, 64, each)
        for coefficients, each in zip(((1, 1), (5, 22)), rng, strict=True)
    )
    order = np.array([[c * value % 23 for value in range(23)] for c in (5, 22)])
    assert np.array_equal(scaled[0], np.stack([plain[0][s, order[s]] for s in range(2)]))


def test_values_of_many_cases_are_answered_at_once_and_margins_belong_to_experts():
    tree = compile_polynomial(parse("a b + c mod 5"))
    cases = np.array(list(itertools.product(range(5), repeat=3)))
    found = tree.evaluate({"a": cases[:, 0], "b": cases[:, 1], "c": cases[:, 2]})
    assert found.answers.tolist() == [(a * b + c) % 5 for a, b, c in cases.tolist()]
    assert found.by_expert.shape == found.margins.shape == (2, 125)
    assert (found.by_expert[1] == found.answers).all() and (found.margins > 0).all()


def test_experts_of_noise_break_a_polynomial():
    tree = compile_polynomial(parse("3a^2 b + 5b + 7 mod 23"))
    rng = np.random.default_rng(0)
    networks = tuple(
        network._replace(
            inner=np.float32(rng.normal(0, np.std(network.inner), network.inner.shape)),
            outer=np.float32(rng.normal(0, np.std(network.outer), network.outer.shape)),
        )
        for network in tree.networks
    )
    for k in range(len(networks)):
        broken = (*tree.networks[:k], networks[k], *tree.networks[k + 1 :])
        found = polynomials.Tree(tree.polynomial, tree.root, tree.experts, broken).verify()
        assert found.wrong > 0.8 * found.rows


@pytest.mark.parametrize(
    ("text", "said", "marked"),
    [
        ("a b mod 12", "a product needs a prime modulus, and 12 is not prime", "a b"),
        ("5 + (a+b)^2 mod 12", "12 is not prime", "(a+b)^2"),
        ("a^20000 mod 7", "a power of 20,000; powers go up to 10,000", "20000"),
        ("2^20000 a mod 7", "a power of 20,000", "20000"),
        ("a^1000000000000000000000 mod 7", "a number of 22 digits; at most 18 are allowed", "1000000000000000000000"),
        ("a mod 1", "a modulus must be 2 or more, not 1", "1"),
        ("a mod 0", "a modulus must be 2 or more, not 0", "0"),
        ("a mod 600", "the modulus is 600; it may be at most 512", None),
        ("a + mod 7", "'mod' cannot stand here", "mod"),
        ("a + b", "the modulus is missing at the end, as in `mod 97`", ""),
        ("a + b mod", "something is missing at the end", ""),
        ("a $ b mod 7", "'$' has no place in a polynomial", "$"),
        ("((a) mod 7", "a parenthesis is not closed", "mod"),
        ("a) mod 7", "')' cannot stand here", ")"),
        ("x1 + y mod 7", "a number after a factor needs `*` before it, a power `^`", "1"),
        ("2 3 mod 7", "needs `*` before it", "3"),
        ("a^-1 mod 7", "a number is expected, not '-'", "-"),
        ("a^b mod 7", "a number is expected, not 'b'", "b"),
        ("a mod 7 8", "'8' cannot stand here", "8"),
        ("a\n+ b mod 7", "has no place in a polynomial", " "),
        ("", "something is missing at the end", None),
        ("(" * 40 + "a" + ")" * 40 + " mod 7", "parentheses are nested deeper than 30", "("),
        ("a" * 2000 + " mod 7", "a polynomial of 2,006 characters; at most 1,000 are allowed", None),
    ],
)
def test_what_is_no_polynomial_is_refused_with_a_caret_where_it_goes_wrong(text, said, marked):
    with pytest.raises(PolynomialError) as raised:
        compile_polynomial(parse(text))
    first, *rest = str(raised.value).splitlines()
    assert said in first
    if marked is None:
        assert rest == []
    else:
        shown, carets = rest
        start = carets.index("^")
        assert shown[start : len(carets)] == marked or (marked == "" and start >= len(shown.rstrip()))


@slow
def test_the_longest_polynomials_that_are_read_are_also_compiled():
    many = " + ".join(f"a^{k}" for k in range(2, 139)) + " mod 257"
    assert len(many) <= syntax.MOST_CHARACTERS
    tree = compile_polynomial(parse(many))
    assert len(tree.experts) == 137 + 136
    assert tree.evaluate({"a": np.array([3])}).answers.tolist() == [sum(3**k for k in range(2, 139)) % 257]
    parse("a" * 990 + " mod 7")
    deep = "(" * 30 + "a" + "+1)" * 30 + " mod 7"
    assert compile_polynomial(parse(deep)).verify().wrong == 0


def test_a_table_too_large_to_verify_is_refused_before_it_is_begun():
    tree = compile_polynomial(parse("a + b + c + d mod 97"))
    with pytest.raises(PolynomialError, match="has 88,529,281 rows, more than 2,000,000; give values, as in `a=1`"):
        tree.verify()
