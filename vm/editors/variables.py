"""Variables as editors show them: the machine, the symbols of the program, and what the last step predicted."""

from __future__ import annotations

from typing import Any

from vm.debugger import changing, rendering
from vm.debugger.errors import CommandError
from vm.debugger.session import Session
from vm.margin import format_margin

MACHINE, SYMBOLS, LEARNED = 1, 2, 3
SCOPES = [
    {"name": "Machine", "presentationHint": "registers", "variablesReference": MACHINE, "expensive": False},
    {"name": "Symbols", "presentationHint": "locals", "variablesReference": SYMBOLS, "expensive": False},
    {"name": "Last learned step", "variablesReference": LEARNED, "expensive": True},
]


def of(session: Session, reference: int) -> list[dict[str, Any]]:
    """The variables of a scope. Raises CommandError."""
    if reference == MACHINE:
        return _machine(session)
    if reference == SYMBOLS:
        names = sorted(name for name in session.symbols if not name.startswith("__"))
        return [_symbol(session, name) for name in names]
    if reference == LEARNED:
        return _learned(session)
    raise CommandError(f"there are no variables {reference}")


def evaluated(session: Session, expression: str) -> dict[str, Any]:
    """The value of an expression; a label stands for the word that it names. Raises CommandError."""
    name = expression.strip()
    if name in session.symbols:
        found = _symbol(session, name)
        kept = {key: found[key] for key in ("variablesReference", "memoryReference") if key in found}
        return {"result": found["value"], **kept}
    return {"result": str(session.evaluate(expression)), "variablesReference": 0}


def change(session: Session, name: str, value: str) -> dict[str, Any]:
    """Give a symbol's word, or pc, another value. Raises CommandError."""
    if name == "$pc":
        changing.pc(session, f"= {value}")
        return {"value": rendering.place(session, session.present.pc)}
    if name not in session.symbols or name in session.image.constants:
        raise CommandError(f"`{name}` cannot be changed: it is no word of the memory")
    changing.set_(session, f"{name} = {value}")
    return {"value": _symbol(session, name)["value"]}


def _machine(session: Session) -> list[dict[str, Any]]:
    present = session.present
    rows = {
        "$pc": rendering.place(session, present.pc) + (", halted" if session.has_halted else ""),
        "$step": f"{present.step:,}",
        "instruction": "" if session.has_halted else rendering.instruction_at(session, present.pc),
        "input": f"{present.input_position:,} of {len(present.input):,} bytes read",
        "output": f"{len(present.output):,} bytes written",
        "unit": session.unit.name,
        "smallest margin": format_margin(session.history.smallest_margin(present.step)),
    }
    made = [{"name": name, "value": value, "variablesReference": 0} for name, value in rows.items()]
    for each in made[:2]:
        each["evaluateName"] = each["name"]
    return made


def _symbol(session: Session, name: str) -> dict[str, Any]:
    value = session.symbols[name]
    if name in session.image.constants or not 0 <= value < session.size or value == session.console:
        return {"name": name, "value": str(value), "type": "constant", "variablesReference": 0, "evaluateName": name}
    word = rendering.both(session, int(session.present.memory[value]))
    return {
        "name": name,
        "value": word,
        "type": f"word at {value}",
        "variablesReference": 0,
        "evaluateName": f"[{name}]",
        "memoryReference": str(value),
    }


def _learned(session: Session) -> list[dict[str, Any]]:
    last = session.last_step()
    if last is None:
        return []
    rows = [("step", rendering.step_line(session, last))]
    if session.console not in (last.a, last.b):
        case = (last.minuend, last.subtrahend, last.c, (last.pc + 3) & session.console)
        for each in session.unit.explain(*case):
            name = f"pass {each.stage}, {each.output} {each.bit}"
            seen = f"prediction {each.prediction:.4f}, threshold {each.threshold:.4f}"
            said = f"{each.value}: {each.matched} matched, {seen}"
            rows.append((name, f"{said}, margin {format_margin(each.margin, digits=3)}"))
    return [{"name": name, "value": value, "variablesReference": 0} for name, value in rows]
