"""The debugger shows the program its author wrote: lines, statements and calls, against a stack kept beside it."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from marks import slow

import programs
from assembler import Image, Origin, assemble
from learned_units import load_unit
from vm.debugger.commands import execute
from vm.debugger.errors import CommandError
from vm.debugger.session import Session
from vm.reference import ReferenceMachine

FACTORIALS = (Path(__file__).parent / "golden" / "debugger" / "calls.sbn").read_text()


def session_on(source: str, given: bytes = b"") -> Session:
    image = assemble(source, "main.sbn")
    return Session(image, load_unit("native", image.word_bits, image.isa), given)


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_every_answer_shows_the_line_of_the_program_that_is_executed_next() -> None:
    session = session_on(FACTORIALS)
    assert execute(session, "step").endswith("; main.sbn:8, in std.sbn:70\n=> 8  mov     n, k")
    assert execute(session, "next").endswith("=> 9  mov     =1, f")
    assert execute(session, "where").splitlines()[1] == "=> 9  mov     =1, f"
    assert "=>     9          mov     =1, f" in execute(session, "list").splitlines()
    execute(session, "break fact")
    assert execute(session, "continue").endswith("=> 15  fact:   jle     k, =1, done             ; f *= k!")
    assert execute(session, "stepi").endswith("=> 15  fact:   jle     k, =1, done             ; f *= k!")
    assert "=>    15  fact:   jle     k, =1, done" in execute(session, "list")


def test_what_macros_share_is_shown_as_the_line_that_led_there() -> None:
    session = session_on("start: mul a, b\n mul b, a\n halt\na: .word 2\nb: .word 3\n")
    execute(session, "step")
    execute(session, "break __mul")
    assert "main.sbn:2, in std.sbn:" in execute(session, "continue")
    assert "=>     2   mul b, a" in execute(session, "list")
    assert "__call __mul, __mul_back  in the expansion of `mul b, a`" in execute(session, "bt").splitlines()[1]
    execute(session, "delete all")
    execute(session, "continue")
    counted = execute(session, "profile").partition("steps  share  line")[2].splitlines()
    steps = {line.split()[2]: int(line.split()[0]) for line in counted[1:]}
    assert steps["main.sbn:2"] > 100 and steps["main.sbn:1"] > 100, "the steps of `__mul` belong to both"


def test_the_lines_of_a_block_are_lines_of_the_program() -> None:
    session = session_on("loop: while n\n  dec n\n  out =65\n end\n halt\nn: .word 2\n")
    seen = [execute(session, "step").rpartition("=> ")[2] for _ in range(6)]
    assert [int(line.split()[0]) for line in seen] == [2, 3, 1, 2, 3, 1]


BLOCKS = """.macro doubly
        .close  finally
        clr     one
        .body
        .body
.endm
        while   n
        if      n eq one
        out     ='A'
        else
        call    letter
        end
        dec     n
        end
        doubly
        inc     n
        finally
        halt
letter: out     ='B'
        ret
n:      .word   2
one:    .word   1
"""


def test_a_block_is_one_statement_to_next_and_its_lines_are_stepped() -> None:
    text = BLOCKS
    session = Session(assemble(text, "main.sbn"), load_unit("native"), read_source=lambda file: text)
    seen = [_line(execute(session, "next")) for _ in range(2)]
    assert seen == [15, 18], "over the loop, and over the program's own block"
    assert bytes(session.present.output) == b"BA" and session.read(session.symbols["n"]) == 2
    execute(session, "goto 0")
    assert [_line(execute(session, "step")) for _ in range(4)] == [8, 11, 19, 20]
    execute(session, "goto 0")
    execute(session, "step")
    assert _line(execute(session, "next")) == 13, "over the condition and what it calls"
    assert _line(execute(session, "next")) == 7


def _line(said: str) -> int:
    return int(said.rpartition("=> ")[2].split()[0])


def test_a_macros_arguments_are_shown_where_its_definition_is_known() -> None:
    text = ".macro swap a, b\n mov a, t\n mov b, a\n mov t, b\n.endm\n swap p, q\n halt\np: .word 1\nq: .word 2\n"
    text += "t: .word 0\n"
    session = Session(assemble(text, "main.sbn"), load_unit("native"), read_source=lambda file: text)
    execute(session, "stepi 5")
    said = execute(session, "bt").splitlines()[1]
    assert said.split() == "#1 main.sbn:3: mov b, a in the expansion of `swap p, q`, where a = p, b = q".split()


def test_a_pushed_word_is_no_call_and_a_return_to_it_is_a_jump() -> None:
    session = session_on("start: push there\n call f\n halt\nf: ret\nagain: halt\nthere: .word again\n")
    execute(session, "until f")
    assert [line.partition("in the ")[2] for line in execute(session, "bt").splitlines()] == ["routine `f`", "program"]
    assert "returned from `f`" in execute(session, "finish")
    with pytest.raises(CommandError, match="no `call` was recorded"):
        execute(session, "finish")


def test_calls_that_never_return_are_counted_and_the_last_ones_shown() -> None:
    session = session_on("f: inc n\n call f\nn: .word 0\n")
    execute(session, "step 60")
    said = execute(session, "bt").splitlines()
    assert len(said) == 21 and said[-1] == "(and 11 more: `bt 31` shows all)"


def test_a_backtrace_of_a_raw_image_is_refused_with_the_reason() -> None:
    session = Session(Image((0, 0, 0)), load_unit("native"))
    for command in ("bt", "up", "frame 0"):
        with pytest.raises(CommandError, match="this image has no source, so no expansion and no `call` is known"):
            execute(session, command)


# --- a model that keeps its own stack ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moment:
    """One executed step: where, and what the stack of the program held then."""

    pc: int
    calls: tuple[str, ...]  # the routines that have not returned, the last one called last
    returns: tuple[int, ...]  # where they return to


class Model:
    """A run on the reference machine. What is on the stack is counted where the library's own routines begin."""

    def __init__(self, image: Image, given: bytes) -> None:
        self.image = image
        self.paths = [_path(image, at) for at in range(len(image.words))]
        labels = image.labels
        self.first_shared = min((at for name, at in labels.items() if name.startswith("__")), default=len(image.words))
        names = {at: name for name, at in labels.items()}
        machine = ReferenceMachine(
            image.words, image.word_bits, image.isa, image.entry, image.memory_size(), input=given
        )
        stack: list[tuple[str, int] | None] = []
        self.moments: list[Moment] = []
        own = 0
        while machine.pc >> (image.word_bits - 1) == 0:
            pc = machine.pc
            if pc == labels.get("__push"):
                is_call = any(" call " in f" {each.text} " for each in self.paths[own][:-1])
                address = -machine.memory[labels["__x"]] & (1 << image.word_bits) - 1
                stack.append(("", address) if is_call else None)
            elif pc == labels.get("__pop") and stack:
                stack.pop()
            if not self.is_shared(pc):
                own = pc
                if stack and stack[-1] is not None and not stack[-1][0]:
                    stack[-1] = (names[pc], stack[-1][1])
            open_ = [each for each in stack if each is not None]
            self.moments.append(Moment(pc, tuple(each[0] for each in open_), tuple(each[1] for each in open_)))
            machine.run(1)
        self.moments.append(Moment(machine.pc, (), ()))

    def is_shared(self, pc: int) -> bool:
        return pc >= self.first_shared

    def begins(self, pc: int) -> int:
        """The outermost level at which a statement begins."""
        path, before = self.paths[pc], self.paths[pc - 1] if pc else ()
        return next((k for k in range(len(path)) if path[: k + 1] != before[: k + 1]), len(path) - 1)

    def after(self, step: int) -> Iterator[tuple[int, Moment]]:
        """The later steps at which the program itself is executed, in no more open calls than at this one."""
        for later in range(step + 1, len(self.moments)):
            moment = self.moments[later]
            if moment.pc >= len(self.paths) or (
                not self.is_shared(moment.pc) and len(moment.calls) <= len(self.moments[step].calls)
            ):
                yield later, moment

    def next(self, step: int) -> int:
        """The step at which the next statement of the program begins."""
        here = self.paths[self.moments[step].pc]
        for later, moment in self.after(step):
            if moment.pc >= len(self.paths) or len(here) == 1:
                return later
            there = self.paths[moment.pc]
            if there[0] != here[0] and (len(there) == 1 or self.begins(moment.pc) == 0):
                return later
        raise AssertionError("a program ends by leaving its words")

    def finish(self, step: int) -> int | None:
        """The step at which the innermost expansion or routine has been left; None where there is none."""
        moment = self.moments[step]
        level, here = self.begins(moment.pc), self.paths[moment.pc]
        if not level and not moment.returns:
            return None
        for later, after in self.after(step):
            if after.pc >= len(self.paths):
                return later
            if level and self.paths[after.pc][:level] != here[:level]:
                return later
            if not level and len(after.calls) < len(moment.calls) and after.pc == moment.returns[-1]:
                return later
        raise AssertionError("a program ends by leaving its words")


def _path(image: Image, address: int) -> tuple[Origin, ...]:
    origin = image.source_map.at(address) if image.source_map is not None else None
    return () if origin is None else (*reversed(origin.calls), Origin(origin.file, origin.line, origin.text))


def follows_the_model(source: str, given: bytes = b"", every: int = 1) -> int:
    """Compare `bt`, `next` and `finish` at every step of a run, or each of so many; how many were compared."""
    session = session_on(source, given)
    model = Model(session.image, given)
    execute(session, "continue")
    assert session.present.step == len(model.moments) - 1
    compared = 0
    for step in range(0, len(model.moments) - 1, every):
        moment = model.moments[step]
        execute(session, f"goto {step}")
        routines = [line.partition("in the routine `")[2][:-1] for line in execute(session, "bt 999").splitlines()]
        if model.is_shared(moment.pc):
            continue
        compared += 1
        assert [name for name in routines if name] == list(moment.calls[::-1]), step
        execute(session, "next")
        assert session.present.step == model.next(step), step
        execute(session, f"goto {step}")
        wanted = model.finish(step)
        if wanted is None:
            with pytest.raises(CommandError, match="no `call` was recorded"):
                execute(session, "finish")
        else:
            said = execute(session, "finish")
            assert session.present.step == wanted, step
            assert ("returned from" in said) == (model.begins(moment.pc) == 0) or session.has_halted
    return compared


def random_program(seed: int) -> str:
    """Nested calls, some made by macros, some between `push` and `pop`, some of a routine by itself."""
    draw = random.Random(seed)
    count = 5
    lines = [
        ".macro twice f",
        "        call    f",
        "        inc     a",
        "        call    f",
        ".endm",
        "main:   push    b",
    ]

    def body(first: int) -> list[str]:
        made = []
        for _ in range(draw.randint(1, 4)):
            kind = draw.choice(["plain", "call", "twice", "kept"]) if first < count else "plain"
            called = f"r{draw.randrange(first, count)}" if first < count else ""
            if kind == "plain":
                made.append(draw.choice(["inc a", "mov a, b", "sbn one, a", "add a, b", "push a\n        pop b"]))
            elif kind == "kept":
                made += ["push a", f"call {called}", "pop a"]
            else:
                made.append(f"{kind} {called}")
        return [f"        {each}" for each in made]

    lines += [*body(0), "        call    deep", "        halt"]
    for index in range(count):
        lines += [f"r{index}:", *body(index + 1), "        ret"]
    lines += ["deep:   dec     n", "        jneg    n, back", "        call    deep", "back:   ret"]
    return "\n".join([*lines, "a: .word 1", "b: .word 2", "one: .word 1", "n: .word 3"]) + "\n"


@pytest.mark.parametrize("every", [*slow(1), 7])
def test_lines_calls_and_returns_of_a_recursive_factorial_are_those_of_the_model(every: int) -> None:
    assert follows_the_model(FACTORIALS, every=every) > 150 // every


@pytest.mark.parametrize("every", [*slow(1), 61])
def test_lines_calls_and_returns_of_the_calculator_are_those_of_the_model(every: int) -> None:
    assert follows_the_model(programs.source("calculator"), b"(1+2)*3\n", every) > 500 // every


@pytest.mark.parametrize("seed, every", [(0, 5), (1, 5), *slow(*((seed, 1) for seed in range(30)))])
def test_lines_calls_and_returns_of_random_programs_are_those_of_the_model(seed: int, every: int) -> None:
    assert follows_the_model(random_program(seed), every=every) > 20 // every
