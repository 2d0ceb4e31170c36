"""How machines and their outcomes show themselves: in one line, and as a card in a notebook."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from learned_units import card
from vm.margin import format_margin
from vm.outcome import Outcome, source_line
from vm.state import Halt

if TYPE_CHECKING:
    from vm.execution import Machine

SHOWN_BYTES = 2_000  # the end of an output


def machine_line(machine: Machine) -> str:
    """A machine in one line."""
    name = _program(machine)
    stopped = "" if machine.halt is Halt.RUNNING else f", {_word(machine.halt)}"
    agreement = {True: ", agrees", False: "", None: ", not checked"}[_agrees(machine)]
    named = f" {name}" if name else ""
    return f"<Machine{named}: step {machine.steps:,}, pc {machine.pc}, {machine.unit.name}{stopped}{agreement}>"


def machine_card(machine: Machine) -> str:
    """A machine as HTML: where it stands, what computes, whether it agrees, and the end of its output."""
    image, unit = machine.image, machine.unit
    detail = f" ({unit.detail})" if unit.detail else ""
    agreement = {
        True: "the reference agrees on every step" if machine.steps else "the reference will replay every step",
        False: "the unit and the reference disagree",
        None: "not checked",
    }
    state = "ready" if machine.halt is Halt.RUNNING and not machine.steps else _word(machine.halt)
    fields = [
        ("state", f"{state}, step {machine.steps:,}, pc {machine.pc}{source_line(image, machine.pc)}"),
        ("unit", f"{unit.name}, {image.word_bits}-bit {image.isa}{detail}"),
        ("memory", f"{machine.size:,} words, of which the program fills {len(image.words):,}"),
        ("check", agreement[_agrees(machine)]),
    ]
    name = _program(machine)
    body = card.preformatted(machine.divergence.report) if machine.divergence is not None else ""
    return card.card(f"Machine {name}" if name else "Machine", fields, body + _output(machine.output))


def outcome_line(outcome: Outcome) -> str:
    """An outcome in one line; its message and its output may have several."""
    parts = [f"{outcome.steps:,} steps"]
    if outcome.console_steps:
        parts.append(f"{outcome.console_steps:,} of them on the console")
    if outcome.margin != float("inf"):
        parts.append(f"smallest margin {format_margin(outcome.margin)}")
    parts += [f"{len(outcome.output):,} bytes of output", f"{outcome.seconds:.1f} s"]
    return f"<Outcome {_word(outcome.halt)}: {', '.join(parts)}>"


def outcome_card(outcome: Outcome) -> str:
    """An outcome as HTML: how the run ended, what it took, what it noted, and the end of its output."""
    console = f", {outcome.console_steps:,} of them on the console" if outcome.console_steps else ""
    speed = f" ({outcome.steps / outcome.seconds:,.0f} steps/s)" if outcome.seconds > 0 and outcome.steps else ""
    fields = [
        ("steps", f"{outcome.steps:,}{console}"),
        ("smallest margin", format_margin(outcome.margin, digits=3)),
        ("time", f"{outcome.seconds:.1f} s{speed}"),
        *(("note", str(note)) for note in outcome.notes),
    ]
    first, _, rest = outcome.message.partition("\n")
    body = card.preformatted(rest) if rest else ""
    return card.card(first, fields, body + _output(outcome.output))


def _output(output: bytes) -> str:
    """The end of an output, as text."""
    if not output:
        return ""
    text = output[-SHOWN_BYTES:].decode("utf-8", "replace")
    cut = f", the last {SHOWN_BYTES:,}" if len(output) > SHOWN_BYTES else ""
    size = f"{len(output):,} byte{'s' * (len(output) != 1)}"
    return card.folded(f"output: {size}{cut}", card.preformatted(text), is_open=True)


def _word(halt: Halt) -> str:
    return halt.name.lower().replace("_", " ")


def _agrees(machine: Machine) -> bool | None:
    """Whether the machine agrees with the reference so far; None where nothing is compared."""
    if machine.divergence is not None:
        return False
    return True if machine.is_checked else None


def _program(machine: Machine) -> str | None:
    """What the program's own file is called, without its suffix; None for a text."""
    runs = machine.image.source_map.runs if machine.image.source_map is not None else ()
    if not runs:
        return None
    origin = runs[0].origin
    file = (origin.calls or (origin,))[-1].file
    return None if file.startswith("<") else Path(file).stem
