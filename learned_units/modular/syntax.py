"""Modular polynomials as text: `3a^2 b + 5b + 7 mod 97` -> a syntax tree, and its value by plain integers."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import lark
import numpy as np

MOST_CHARACTERS = 1000
DEEPEST = 30  # parentheses in parentheses
MOST_DIGITS = 18
MOST_POWER = 10_000


class PolynomialError(ValueError):
    """A polynomial that cannot be read or compiled: one line, then, where a place is known, the text and a caret."""

    def __init__(self, message: str, text: str = "", start: int = 0, end: int = 0) -> None:
        shown = "".join(each if each.isprintable() else " " for each in text)
        marks = f"\n  {shown}\n  {' ' * start}{'^' * max(1, end - start)}" if text else ""
        super().__init__(message + marks)


@dataclass(frozen=True)
class Number:
    value: int


@dataclass(frozen=True)
class Name:
    name: str


@dataclass(frozen=True)
class Sum:
    terms: tuple[tuple[int, Expression], ...]  # (1 or -1, what is added)


@dataclass(frozen=True)
class Product:
    factors: tuple[Expression, ...]
    start: int  # where it stands in the text
    end: int


@dataclass(frozen=True)
class Power:
    base: Expression
    exponent: int
    start: int
    end: int


Expression = Number | Name | Sum | Product | Power


@dataclass(frozen=True)
class Polynomial:
    """A polynomial as it was written."""

    text: str
    expression: Expression
    modulus: int

    @property
    def written(self) -> str:
        """The text without the modulus."""
        return self.text[: self.text.rindex("mod")].strip()

    @property
    def variables(self) -> tuple[str, ...]:
        """The names in it, sorted."""
        return tuple(sorted(_names(self.expression)))


def parse(text: str) -> Polynomial:
    """Read a polynomial. Raises PolynomialError."""
    if len(text) > MOST_CHARACTERS:
        raise PolynomialError(f"a polynomial of {len(text):,} characters; at most {MOST_CHARACTERS:,} are allowed")
    depth = 0
    for k, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth > DEEPEST:
            raise PolynomialError(f"parentheses are nested deeper than {DEEPEST}", text, k, k + 1)
    try:
        tree = _parser().parse(text)
    except lark.exceptions.UnexpectedInput as error:
        raise _refusal(error, text) from None
    try:
        return _Reader(text).transform(tree)
    except lark.exceptions.VisitError as error:
        raise error.orig_exc from None


def exact(polynomial: Polynomial, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Its value by integer arithmetic on the text as written, int64, for values 0 .. modulus - 1 by name."""
    return np.asarray(_exact(polynomial.expression, values, polynomial.modulus), np.int64)


def _exact(expression: Expression, values: Mapping[str, np.ndarray], modulus: int) -> Any:
    if isinstance(expression, Number):
        return expression.value % modulus
    if isinstance(expression, Name):
        return np.asarray(values[expression.name], np.int64) % modulus
    if isinstance(expression, Sum):
        return sum(sign * _exact(term, values, modulus) for sign, term in expression.terms) % modulus
    if isinstance(expression, Product):
        factors = (_exact(factor, values, modulus) for factor in expression.factors)
        return functools.reduce(lambda one, other: one * other % modulus, factors)
    base = _exact(expression.base, values, modulus)
    result = np.ones_like(base)
    for _ in range(expression.exponent):
        result = result * base % modulus
    return result


def _names(expression: Expression) -> set[str]:
    if isinstance(expression, Name):
        return {expression.name}
    if isinstance(expression, Number):
        return set()
    if isinstance(expression, Sum):
        parts = [term for _, term in expression.terms]
    else:
        parts = expression.factors if isinstance(expression, Product) else [expression.base]
    return set().union(*map(_names, parts))


@functools.cache
def _parser() -> lark.Lark:
    grammar = resources.files("learned_units.modular").joinpath("polynomial.lark").read_text(encoding="utf-8")
    return lark.Lark(grammar, parser="lalr", lexer="basic", maybe_placeholders=True, propagate_positions=True)


def _refusal(error: lark.exceptions.UnexpectedInput, text: str) -> PolynomialError:
    """What lark says, in a line."""
    if isinstance(error, lark.exceptions.UnexpectedCharacters):
        at = error.pos_in_stream or 0
        return PolynomialError(f"{text[at]!r} has no place in a polynomial", text, at, at + 1)
    assert isinstance(error, lark.exceptions.UnexpectedToken)
    start = len(text) if error.token.type == "$END" else error.token.start_pos or 0
    end = start + len(error.token)
    if error.token.type == "$END":
        if "MOD" in error.expected:
            return PolynomialError("the modulus is missing at the end, as in `mod 97`", text, start, end)
        return PolynomialError("something is missing at the end", text, start, end)
    if error.token.type == "NUMBER" and "STAR" in error.expected:
        return PolynomialError("a number after a factor needs `*` before it, a power `^`", text, start, end)
    if "NUMBER" in error.expected and len(error.expected) == 1:
        return PolynomialError(f"a number is expected, not '{error.token}'", text, start, end)
    if "CLOSE" in error.expected and "MOD" not in error.expected and error.token.type == "MOD":
        return PolynomialError("a parenthesis is not closed", text, start, end)
    return PolynomialError(f"'{error.token}' cannot stand here", text, start, end)


class _Reader(lark.Transformer):
    """lark's tree -> ours. Each method is a rule of the grammar; `at` gives its place in the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def _integer(self, token: lark.Token, most: int | None = None) -> int:
        start = token.start_pos or 0
        if len(token) > MOST_DIGITS:
            said = f"a number of {len(token)} digits; at most {MOST_DIGITS} are allowed"
            raise PolynomialError(said, self._text, start, start + len(token))
        if most is not None and int(token) > most:
            said = f"a power of {int(token):,}; powers go up to {most:,}"
            raise PolynomialError(said, self._text, start, start + len(token))
        return int(token)

    def start(self, parts: list[Any]) -> Polynomial:
        expression, _, modulus = parts
        value = self._integer(modulus)
        if value < 2:
            start = modulus.start_pos or 0
            raise PolynomialError(f"a modulus must be 2 or more, not {value}", self._text, start, start + len(modulus))
        return Polynomial(self._text, expression, value)

    def sum(self, parts: list[Any]) -> Expression:
        signs, terms = parts[0::2], parts[1::2]
        signed = tuple((-1 if sign == "-" else 1, term) for sign, term in zip(signs, terms, strict=True))
        return signed[0][1] if len(signed) == 1 and signed[0][0] == 1 else Sum(signed)

    @lark.v_args(meta=True)
    def product(self, meta: Any, parts: list[Any]) -> Expression:
        factors = tuple(part for part in parts if not isinstance(part, lark.Token))
        return factors[0] if len(factors) == 1 else Product(factors, meta.start_pos, meta.end_pos)

    @lark.v_args(meta=True)
    def power(self, meta: Any, parts: list[Any]) -> Power:
        return Power(parts[0], self._integer(parts[2], MOST_POWER), meta.start_pos, meta.end_pos)

    def number(self, parts: list[Any]) -> Number:
        return Number(self._integer(parts[0]))

    def number_power(self, parts: list[Any]) -> Number:
        return Number(self._integer(parts[0]) ** self._integer(parts[2], MOST_POWER))

    def name(self, parts: list[Any]) -> Name:
        return Name(str(parts[0]))

    def group(self, parts: list[Any]) -> Expression:
        return parts[1]
