"""`sbn modular`: a modular polynomial computed by a tree of experts, or verified on its whole table."""

from __future__ import annotations

import argparse
import json
import math
import re
from typing import TYPE_CHECKING, Any

from vm.console import jax_setup, terminal
from vm.console.launch import FAILED, UsageError, stated_by_user
from vm.console.terminal import Talk
from vm.margin import format_margin

if TYPE_CHECKING:
    from learned_units.modular.polynomials import Tree
    from learned_units.modular.syntax import Polynomial


def run(options: argparse.Namespace) -> int:
    """Print the experts, the answer or the verification. Exit code 0 if integer arithmetic agrees."""
    talk = Talk(options.quiet)
    from learned_units.modular import syntax

    with stated_by_user():
        polynomial = syntax.parse(options.polynomial)
        values = _values(options.values, polynomial)
    jax_setup.prepare()
    from learned_units.modular import polynomials

    with stated_by_user():
        talk.progress(f"experts modulo {polynomial.modulus}", 0.0)
        tree = polynomials.compile_polynomial(polynomial)
        account = _evaluated(tree, values) if values or not polynomial.variables else _verified(tree)
    talk.clear()
    if options.json:
        terminal.write(json.dumps(account) + "\n")
    else:
        _write_experts(account["experts"])
        terminal.write(_conclusion(account, polynomial))
    return 0 if account["agrees"] else FAILED


def _values(given: list[str], polynomial: Polynomial) -> dict[str, int]:
    """NAME=N ... as numbers by name: one for each variable, or none at all."""
    values: dict[str, int] = {}
    known = f"variables: {', '.join(polynomial.variables)}" if polynomial.variables else "it has no variables"
    for text in given:
        match = re.fullmatch(r"\s*(\w+)\s*=\s*([+-]?\d{1,18})\s*", text)
        if match is None:
            raise UsageError(f"'{text}' does not give a variable a value; write NAME=N, such as a=4")
        name, value = match.groups()
        if name not in polynomial.variables:
            raise UsageError(f"'{name}' is not in the polynomial ({known})")
        if name in values:
            raise UsageError(f"'{name}' is given twice")
        values[name] = int(value)
    missing = [name for name in polynomial.variables if name not in values]
    if values and missing:
        raise UsageError(
            f"no value for {', '.join(missing)}; give one for each variable, or none at all to verify the whole table"
        )
    return values


def _evaluated(tree: Tree, values: dict[str, int]) -> dict[str, Any]:
    """What the experts answer for one case, and what integer arithmetic does."""
    import numpy as np

    from learned_units.modular import syntax

    case = {name: np.array([value % tree.polynomial.modulus]) for name, value in values.items()}
    found = tree.evaluate(case)
    exact = int(syntax.exact(tree.polynomial, case).reshape(-1)[0])
    answers = [int(each[0]) for each in found.by_expert]
    account = _account(tree, [float(each[0]) for each in found.margins], answers)
    result = int(found.answers[0])
    return account | {"values": values, "result": result, "exact": exact, "agrees": result == exact}


def _verified(tree: Tree) -> dict[str, Any]:
    """How many rows of the table the experts have right."""
    found = tree.verify()
    counts = {"rows": found.rows, "wrong": found.wrong, "agrees": found.wrong == 0}
    return _account(tree, list(found.margins), None) | counts


def _account(tree: Tree, margins: list[float], answers: list[int] | None) -> dict[str, Any]:
    from learned_units.unit import weakness

    experts = [
        {
            "name": f"e{k + 1}",
            "kind": apply.kind,
            "computes": tree.describe(apply),
            "units": network.units,
            "margin": margins[k],
        }
        | ({} if answers is None else {"answer": answers[k]})
        for k, (apply, network) in enumerate(zip(tree.experts, tree.networks, strict=True))
    ]
    return {
        "polynomial": tree.polynomial.written,
        "modulus": tree.polynomial.modulus,
        "weights": "analytic",
        "experts": experts,
        "units": tree.units,
        "margin": min(margins, key=weakness, default=None),
    }


def _write_experts(experts: list[dict[str, Any]]) -> None:
    """A table with a row for each, and its answer where the polynomial was evaluated."""
    if not experts:
        return
    answered = "answer" in experts[0]
    rows = [("expert", "computes", "units", *(("answer",) if answered else ()), "margin")]
    for each in experts:
        answer = (str(each["answer"]),) if answered else ()
        margin = format_margin(each["margin"], digits=3)
        rows.append((each["name"], each["computes"], str(each["units"]), *answer, margin))
    terminal.write_table(rows, right=range(2, len(rows[0])))
    terminal.write("\n")


def _conclusion(account: dict[str, Any], polynomial: Polynomial) -> str:
    """The result in words, and whether it is right."""
    experts = account["experts"]
    text = f"{polynomial.written} mod {polynomial.modulus}"
    if "result" in account:
        if account["values"]:
            text += f" at {', '.join(f'{name} = {value}' for name, value in account['values'].items())}"
        text += f" is {account['result']}; "
        text += "integer arithmetic agrees" if account["agrees"] else f"integer arithmetic says {account['exact']}"
    elif account["agrees"]:
        text += f": all {account['rows']:,} rows of the table are right"
    else:
        text += f": {account['wrong']:,} of {account['rows']:,} rows of the table are WRONG"
    if not experts:
        return text + "; no expert is needed\n"
    margin = format_margin(account["margin"] if account["margin"] is not None else math.inf, digits=3)
    counted = f"{len(experts)} analytic expert{'' if len(experts) == 1 else 's'}"
    return text + f"; {counted}, {account['units']:,} units, smallest margin {margin}\n"
