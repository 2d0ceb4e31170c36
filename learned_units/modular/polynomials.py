"""Arbitrary modular polynomials, compiled to trees of experts with two inputs (arXiv 2406.03495, section 4).

    3a^2 b + 5b + 7 mod 97     ->     sum(1, sum(3, product(a^2, b), 5, b), 1, 7)

Two networks serve a whole tree: one verified expert for x + y, and one for x y where the modulus is prime. An expert
for c x + d y has the first-layer rows of x + y in the order of the multiples of c and d; one for x^e y^f those of x y
in the order of the powers. So an input of any expert in the tree is an input of a verified one. Between two experts
stands the threshold: the largest output becomes a one-hot input. Constants are one-hot inputs as well.

What is done once, when compiling, is algebra: like terms and equal factors are gathered, numbers reduced, and powers
reduced modulo p - 1 (x^p = x).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from learned_units.modular import experts, residues, syntax
from learned_units.modular.network import Network, answers, blocks, every_input
from learned_units.modular.syntax import Polynomial, PolynomialError

MOST_MODULUS = 512
MOST_ROWS = 2_000_000  # of a table that is verified whole


@dataclass(frozen=True)
class Variable:
    name: str


@dataclass(frozen=True)
class Constant:
    value: int


@dataclass(frozen=True)
class Apply:
    """One expert at work: `kind` "sum" is w0 x + w1 y, "product" is x^w0 y^w1."""

    kind: str
    inputs: tuple[Source, Source]
    weights: tuple[int, int]


Source = Variable | Constant | Apply
Monomial = tuple[tuple[Source, int], ...]  # bases and powers 1 or more; the bases are variables and sums


class _Linear(NamedTuple):
    """constant + sum of coefficient x monomial, coefficients 1 .. modulus - 1."""

    terms: dict[Monomial, int]
    constant: int


class Evaluation(NamedTuple):
    """What the experts answer, for n cases of values of the variables."""

    answers: np.ndarray  # int64 [n]
    by_expert: np.ndarray  # int32 [experts, n], the answer of each
    margins: np.ndarray  # float32 [experts, n]


class TableVerification(NamedTuple):
    """The experts compared with integer arithmetic on all values of the variables."""

    rows: int
    wrong: int
    margins: tuple[float, ...]  # the smallest of each expert


@dataclass(frozen=True)
class Tree:
    """A compiled polynomial. `experts` are in the order of evaluation, each after those it reads."""

    polynomial: Polynomial
    root: Source
    experts: tuple[Apply, ...]
    networks: tuple[Network, ...]  # of each expert

    def describe(self, source: Source) -> str:
        """What an expert computes, in the names of what it reads; constants that change nothing are left out."""
        names: dict[Source, str] = {apply: f"e{k + 1}" for k, apply in enumerate(self.experts)}

        def name(source: Source) -> str:
            if isinstance(source, Apply):
                return names[source]
            return source.name if isinstance(source, Variable) else str(source.value)

        if not isinstance(source, Apply):
            return name(source)
        neutral = Constant(0 if source.kind == "sum" else 1)
        weighted = [(name(x), w) for x, w in zip(source.inputs, source.weights, strict=True) if x != neutral]
        if source.kind == "sum":
            return " + ".join(said if weight == 1 else f"{weight} {said}" for said, weight in weighted)
        return " ".join(said if weight == 1 else f"{said}^{weight}" for said, weight in weighted)

    @property
    def units(self) -> int:
        """Hidden units of all experts together."""
        return sum(network.units for network in self.networks)

    def evaluate(self, values: Mapping[str, np.ndarray]) -> Evaluation:
        """Ask the experts, all of them, for values 0 .. modulus - 1: int arrays [n] by name."""
        count = max((len(each) for each in values.values()), default=1)
        found: dict[Source, np.ndarray] = {Variable(name): np.asarray(each) for name, each in values.items()}
        margins = np.zeros((len(self.experts), count), np.float32)

        def of(source: Source) -> np.ndarray:
            return np.full(count, source.value) if isinstance(source, Constant) else found[source]

        for k, (apply, network) in enumerate(zip(self.experts, self.networks, strict=True)):
            rows = np.stack([of(source) for source in apply.inputs], axis=1).astype(np.int32)
            said = [
                tuple(np.asarray(each)[:some] for each in answers(network, block))
                for some, block in blocks(rows, network.units)
            ]
            found[apply], margins[k] = (np.concatenate(column) for column in zip(*said, strict=True))
        by_expert = np.array([found[apply] for apply in self.experts], np.int32).reshape(margins.shape)
        return Evaluation(of(self.root).astype(np.int64), by_expert, margins)

    def verify(self) -> TableVerification:
        """Ask the experts for every row of the table. Raises PolynomialError if it has more than MOST_ROWS."""
        names, modulus = self.polynomial.variables, self.polynomial.modulus
        rows = modulus ** len(names)
        if rows > MOST_ROWS:
            raise PolynomialError(
                f"the table of {', '.join(names)} modulo {modulus} has {rows:,} rows, more than {MOST_ROWS:,}; "
                f"give values, as in `{names[0]}=1`"
            )
        table = every_input(modulus, len(names)) if names else np.zeros((1, 0), np.int32)
        values = {name: table[:, k] for k, name in enumerate(names)}
        found = self.evaluate(values)
        right = syntax.exact(self.polynomial, values)
        return TableVerification(rows, int((found.answers != right).sum()), tuple(map(float, found.margins.min(1))))


def compile_polynomial(polynomial: Polynomial) -> Tree:
    """The tree of experts of a polynomial, with their networks. Raises PolynomialError."""
    modulus = polynomial.modulus
    if modulus > MOST_MODULUS:
        raise PolynomialError(f"the modulus is {modulus:,}; it may be at most {MOST_MODULUS}")
    root = _as_sum(_linear(polynomial.expression, polynomial), modulus)
    order: dict[Source, None] = {}
    _collect(root, order)
    applied = tuple(source for source in order if isinstance(source, Apply))
    return Tree(polynomial, root, applied, tuple(network_of(apply, modulus) for apply in applied))


def network_of(apply: Apply, modulus: int) -> Network:
    """The verified expert for two inputs, its first-layer rows in the order of multiples, or of powers."""
    network = _expert(apply.kind, modulus).network
    if apply.kind == "sum":
        order = [[weight * value % modulus for value in range(modulus)] for weight in apply.weights]
    else:
        order = [[pow(value, weight, modulus) for value in range(modulus)] for weight in apply.weights]
    inner = np.asarray(network.inner)
    return network._replace(inner=np.stack([inner[s, np.array(rows)] for s, rows in enumerate(order)]))


@functools.lru_cache(maxsize=8)
def _expert(kind: str, modulus: int) -> experts.Expert:
    return experts.addition(modulus) if kind == "sum" else experts.multiplication(modulus)


def _collect(source: Source, order: dict[Source, None]) -> None:
    """Add a source and all it reads, those first."""
    if source not in order:
        if isinstance(source, Apply):
            for each in source.inputs:
                _collect(each, order)
        order[source] = None


def _linear(expression: syntax.Expression, polynomial: Polynomial) -> _Linear:
    """An expression as a sum of monomials over variables and inner sums."""
    modulus = polynomial.modulus
    if isinstance(expression, syntax.Number):
        return _Linear({}, expression.value % modulus)
    if isinstance(expression, syntax.Name):
        return _Linear({((Variable(expression.name), 1),): 1}, 0)
    if isinstance(expression, syntax.Sum):
        terms: dict[Monomial, int] = {}
        constant = 0
        for sign, term in expression.terms:
            inner = _linear(term, polynomial)
            constant += sign * inner.constant
            for monomial, coefficient in inner.terms.items():
                terms[monomial] = (terms.get(monomial, 0) + sign * coefficient) % modulus
        return _Linear({monomial: c for monomial, c in terms.items() if c}, constant % modulus)
    if isinstance(expression, syntax.Product):
        return functools.reduce(
            lambda one, other: _times(one, other, polynomial, expression),
            (_linear(factor, polynomial) for factor in expression.factors),
        )
    base = _linear(expression.base, polynomial)
    if expression.exponent == 0:
        return _Linear({}, 1)
    if expression.exponent == 1:
        return base
    if not base.terms:
        return _Linear({}, pow(base.constant, expression.exponent, modulus))
    _needs_prime(polynomial, expression)
    scale, monomial = _as_monomial(base, modulus)
    powers = {each: _reduced(power * expression.exponent, modulus) for each, power in monomial}
    return _Linear({_monomial(powers): pow(scale, expression.exponent, modulus)}, 0)


def _times(one: _Linear, other: _Linear, polynomial: Polynomial, place: syntax.Product) -> _Linear:
    """The product of two; `place` is where in the polynomial."""
    modulus = polynomial.modulus
    if not one.terms:
        return _scaled(other, one.constant, modulus)
    if not other.terms:
        return _scaled(one, other.constant, modulus)
    _needs_prime(polynomial, place)
    coefficient: int = 1
    powers: dict[Source, int] = {}
    for factor in (one, other):
        scale, monomial = _as_monomial(factor, modulus)
        coefficient = coefficient * scale % modulus
        for base, power in monomial:
            powers[base] = _reduced(powers.get(base, 0) + power, modulus)
    return _Linear({_monomial(powers): coefficient}, 0)


def _monomial(powers: Mapping[Source, int]) -> Monomial:
    """In an order of its own, so that a b and b a are one."""
    return tuple(sorted(powers.items(), key=repr))


def _scaled(linear: _Linear, factor: int, modulus: int) -> _Linear:
    terms = {monomial: c * factor % modulus for monomial, c in linear.terms.items()}
    return _Linear({monomial: c for monomial, c in terms.items() if c}, linear.constant * factor % modulus)


def _needs_prime(polynomial: Polynomial, expression: syntax.Product | syntax.Power) -> None:
    if not residues.is_prime(polynomial.modulus):
        raise PolynomialError(
            f"a product needs a prime modulus, and {polynomial.modulus} is not prime",
            polynomial.text,
            expression.start,
            expression.end,
        )


def _reduced(power: int, prime: int) -> int:
    """A power of 1 or more, modulo p - 1: x^p = x."""
    return (power - 1) % (prime - 1) + 1


def _as_monomial(linear: _Linear, modulus: int) -> tuple[int, Monomial]:
    """Something to multiply by, as a coefficient and a monomial; of several terms an expert makes one."""
    if len(linear.terms) == 1 and not linear.constant:
        ((monomial, coefficient),) = linear.terms.items()
        return coefficient, monomial
    return 1, ((_as_sum(linear, modulus), 1),)


def _as_sum(linear: _Linear, modulus: int) -> Source:
    """The sum of all terms: the first two by an expert, then one more by each."""
    parts: list[tuple[Source, int]] = [(_as_product(monomial), c) for monomial, c in linear.terms.items()]
    if linear.constant or not parts:
        parts.append((Constant(linear.constant), 1))
    if len(parts) == 1 and parts[0][1] != 1:
        parts.append((Constant(0), 1))
    return _chain("sum", parts)


def _as_product(monomial: Monomial) -> Source:
    parts = list(monomial)
    if len(parts) == 1 and parts[0][1] != 1:
        parts.append((Constant(1), 1))
    return _chain("product", parts)


def _chain(kind: str, parts: list[tuple[Source, int]]) -> Source:
    (result, weight), *others = parts
    for other, its_weight in others:
        result = Apply(kind, (result, other), (weight, its_weight))
        weight = 1
    return result
