"""`sbn demo --turing`: one instruction, macros, an interpreter, another language: all of it on learned steps."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

import programs
from learned_units import interrupts
from vm.console import terminal
from vm.console.terminal import Talk
from vm.margin import format_margin

if TYPE_CHECKING:
    from learned_units.unit import Unit

# Prints "Hello World!"; the best-known program in the language.
BRAINFUCK_HELLO = (
    b"++++++++[>++++[>++>+++>+++>+<<<<-]>+>+>->>+[<]<-]>>.>---.+++++++..+++.>>.<-.<.+++.------.--------.>>+.>++.!"
)
GUEST = "countdown"


def tell(unit: Unit, talk: Talk) -> bool:
    """Tell the story on a unit; whether every program did what it should, each step compared with the reference."""
    right = _one_instruction(unit)
    right &= _macros()
    right &= _rule_110(unit, talk)
    right &= _self_interpreter(unit, talk)
    right &= _another_language(unit, talk)
    if terminal.is_conversation():
        right &= your_turn(unit, talk)
    terminal.prose(
        "A machine with this one instruction and unbounded memory computes whatever can be computed. Ours has the "
        "memory its words can address; within it nothing above used any step but learned ones and the console's, and "
        "each was compared with exact arithmetic."
    )
    return right


def _one_instruction(unit: Unit) -> bool:
    terminal.heading("One instruction")
    result = unit.subtract_branch(5, 7, 100, 3)
    terminal.prose(
        "sbn a, b, c: subtract the word at a from the word at b; if the result is negative, go to c. The networks "
        f"compute 5 - 7 = {int(result.difference) - (1 << unit.word_bits)} and, as it is negative, the next pc "
        f"{int(result.next_pc)}."
    )
    return (int(result.difference), int(result.next_pc)) == ((1 << unit.word_bits) - 2, 100)


def _macros() -> bool:
    from assembler import assemble, macro_reference

    terminal.heading("Macros")
    image = assemble(programs.source("sum"), "sum.sbn")
    lines = [line.split(";")[0].split() for line in programs.source("sum").splitlines()]
    names = {macro.name for macro in macro_reference()}
    calls = sum(1 for words in lines for word in words[:2] if word in names)
    terminal.prose(
        f"Written in that instruction, {len(names)} standard macros make it a language: mov, add, mul, div, jlt, load, "
        f"call, putn. The program `sum` is {calls} macro calls and {len(image.words)} words of memory."
    )
    return calls > 0


def _rule_110(unit: Unit, talk: Talk) -> bool:
    terminal.heading("A universal cellular automaton: Rule 110")
    return _run(unit, "rule110", programs.sample_input("rule110"), programs.sample_output("rule110"), talk)


def _self_interpreter(unit: Unit, talk: Talk) -> bool:
    terminal.heading("An SBN machine, written in SBN, that runs another program")
    terminal.prose(f"Its input is the memory image of `{GUEST}`. What it prints is what `{GUEST}` prints.")
    return _run(unit, "selfhost", programs.sample_input("selfhost"), programs.sample_output(GUEST), talk)


def _another_language(unit: Unit, talk: Talk) -> bool:
    terminal.heading("Another language: a Brainfuck interpreter, and a program for it")
    terminal.write(f"    {BRAINFUCK_HELLO.decode()}\n")
    return _run(unit, "brainfuck", BRAINFUCK_HELLO, b"Hello World!\n", talk)


def your_turn(unit: Unit, talk: Talk) -> bool:
    """Run BASIC and Lisp on what is typed; whether they did nothing but what the reference does."""
    terminal.heading("Your turn: BASIC")
    terminal.prose(
        "Type `print 6 * 7`; or lines with numbers, such as `10 for i = 1 to 5`, `20 print i * i` and `30 next`, then "
        "`run`. `bye` goes on to the next language, and so does Ctrl-C."
    )
    right = _converse(unit, "basic", talk)
    terminal.heading("Your turn: Lisp")
    terminal.prose(
        "Type `(* 6 7)`; or `(define (f n) (if (= n 0) 1 (* n (f (- n 1)))))`, then `(map f '(1 2 3 4 5))`. `(bye)` "
        "ends it, and so does Ctrl-C."
    )
    return _converse(unit, "lisp", talk) and right


def _converse(unit: Unit, name: str, talk: Talk) -> bool:
    """Run a bundled program in lockstep on what is typed, until it halts or Ctrl-C is pressed."""
    from assembler import assemble
    from vm import report
    from vm.console import running
    from vm.execution import Machine

    terminal.flush()
    machine = Machine(assemble(programs.source(name), f"{name}.sbn"), unit, input=None)
    options = argparse.Namespace(max_steps=None, no_check=False, save_state=None)
    account = running.Execution(machine, report.of_unit(unit), options, None, talk, {}).run()
    interrupts.answer()  # Ctrl-C has ended this program; the next one is to run
    terminal.prose(report.summary(account))
    return account.succeeded or account.halt == "interrupted"


def _run(unit: Unit, name: str, given: bytes, expected: bytes, talk: Talk) -> bool:
    """Run a bundled program in lockstep and show what it printed; whether that is what was expected."""
    from assembler import assemble
    from vm.execution import Machine
    from vm.state import Halt

    talk.progress(f"running `{name}`", 0.0)
    outcome = Machine(assemble(programs.source(name), f"{name}.sbn"), unit, input=given, progress=False).run()
    talk.clear()
    terminal.write(textwrap.indent(outcome.output.decode("utf-8", "replace").rstrip("\n"), "    ") + "\n")
    right = outcome.halt is Halt.HALTED and outcome.output == expected
    said = "the reference agrees on every step" if right else f"but that is not how it should end: {outcome.message}"
    terminal.prose(
        f"`{name}`: {outcome.steps - outcome.console_steps:,} {unit.scope.step_kind} steps, smallest margin "
        f"{format_margin(outcome.margin)}, {outcome.seconds:.1f} s; {said}."
    )
    terminal.flush()
    return right
