"""`sbn debug`: a program under the debugger, at a prompt, on a full screen, or driven by a pipe."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import programs
from vm.console import colours, jax_setup, outputs, program_files, terminal
from vm.console.launch import FAILED, UsageError, stated_by_user
from vm.console.terminal import Talk

if TYPE_CHECKING:
    from assembler import Image
    from learned_units.unit import Unit
    from vm.debugger.session import Session
    from vm.debugger.shell import Shell


def run(options: argparse.Namespace) -> int:
    """Debug a program. Exit code 0, in a pipe 1 if a command was refused."""
    if options.program == program_files.STDIN:
        raise UsageError("the commands are read from stdin, so the program cannot be read from there; name its file")
    return meet(options, _session(options), statements=False)


def opened(options: argparse.Namespace) -> Session:
    """A session on the program that the options name, with its unit."""
    session = _session(options)
    make_ready(options, session, Talk(options.quiet))
    return session


def _session(options: argparse.Namespace) -> Session:
    image = program_files.load(options)

    def reload() -> Image:
        with _refused():
            return program_files.load(options)

    is_file = program_files.is_file(options.program)
    return make_session(options, image, _given_input(options), reload if is_file else None)


def make_session(
    options: argparse.Namespace, image: Image, given: bytes | None, reload: Callable[[], Image] | None
) -> Session:
    """A session on an image, without a unit: what the first prompt needs, and no jax, of which that is most."""
    from learned_units import catalog
    from vm.console import chosen_unit
    from vm.debugger.session import Session

    chosen_unit.check(options, image.word_bits, image.isa)

    def load_unit(name: str) -> Unit:
        others = {option for each in catalog.UNITS.values() for option in each.options}
        if name in catalog.UNITS:
            others -= set(catalog.UNITS[name].options)
        asked = argparse.Namespace(**{**vars(options), **dict.fromkeys(others), "unit": name})
        with _refused():
            return chosen_unit.load(asked, image.word_bits, image.isa, Talk(options.quiet))

    def check_output(path: str) -> None:
        program, given = getattr(options, "program", None), getattr(options, "input", None)
        with _refused():
            outputs.check({"snapshot save": path}, {"the program itself": program, "its input": given}, image)

    with stated_by_user():
        return Session(
            image,
            None,
            given,
            check=not options.no_check,
            limit=options.history,
            reload=reload,
            load_unit=load_unit,
            read_source=_read_source,
            check_output=check_output,
        )


def make_ready(options: argparse.Namespace, session: Session, talk: Talk) -> None:
    """Give a session the unit that the options ask for."""
    jax_setup.prepare()
    from vm.console import chosen_unit

    unit = chosen_unit.load(options, session.word_bits, session.image.isa, talk)
    with stated_by_user():
        session.use(unit)


def meet(options: argparse.Namespace, session: Session, statements: bool) -> int:
    """Let the user, or a pipe, drive a session to its end."""
    from vm.debugger import travel
    from vm.debugger.errors import Leave
    from vm.debugger.shell import Shell

    talk = Talk(options.quiet)
    moved = _progress(talk)

    def prepare(talk: Talk) -> None:
        make_ready(options, session, talk)
        travel.forward(session, 0)  # compiles the loop, and shows no progress: a prompt may be there
        session.on_moved = moved

    def write(data: bytes) -> None:
        Talk.clear()
        terminal.write_bytes(data)
        terminal.flush()

    at_terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout is not None and sys.stdout.isatty()
    if getattr(options, "tui", False):
        if not at_terminal:
            raise UsageError("--tui needs a terminal; without one, commands are read from stdin")
        from vm.debugger.screen import Screen

        prepare(talk)
        Screen(session).run()
        return 0
    shell = Shell(session, write, statements)
    try:
        if at_terminal:
            session.painted = colours.painter()
            _greet(shell)
            shell.interact(_history_file(), lambda: prepare(_BesidePrompt(options.quiet)), lambda: prepare(talk))
            return 0
        make_ready(options, session, talk)
        if sys.stdin is not None:
            shell.run_script(terminal.read_lines())
    except Leave:
        pass
    return FAILED if shell.failed and not at_terminal else 0


class _BesidePrompt(Talk):
    """For a unit that is loaded while a prompt is shown: one that has to be trained or proved first is not."""

    def progress(self, what: str, part: float) -> None:
        from vm.debugger.beside import NeedsTerminal

        raise NeedsTerminal


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    """What is refused in the middle of a session is told there, and does not end it."""
    from learned_units.store import WeightsError

    try:
        yield
    except (UsageError, WeightsError) as error:
        raise ValueError(str(error)) from error


def _progress(talk: Talk) -> Callable[[int | None], None]:
    """What shows how far a motion has got, once it takes long."""
    from vm.console.running import Meter

    meter, start = Meter(talk), None

    def moved(step: int | None) -> None:
        nonlocal meter, start
        if step is None:
            meter, start = Meter(talk), None
            return
        start = step if start is None else start
        meter.show(abs(step - start))

    return moved


def _greet(shell: Shell) -> None:
    session = shell.session
    shell.say(
        f"{session.image.word_bits}-bit {session.image.isa}, {session.size:,} words of memory. "
        f"`{':' if shell.statements else ''}help` lists the commands, Ctrl-D leaves."
    )
    if not shell.statements:
        shell.take("where")


def _given_input(options: argparse.Namespace) -> bytes | None:
    """The program's whole input, None if it is given by the `input` command."""
    if options.input_text is not None:
        return os.fsencode(options.input_text)
    if options.input == program_files.STDIN:
        raise UsageError("commands are read from stdin; give the program's input with --input FILE or --input-text")
    return None if options.input is None else program_files.read_whole(options.input)


def _read_source(file: str) -> str | None:
    """The text of a source file: of the disk, the library's, or a bundled program's."""
    from assembler import library

    name, suffix = os.path.splitext(file)
    try:
        if os.path.isfile(file):
            return Path(file).read_text(encoding="utf-8-sig")
        if file == library.FILE:
            return library.text()
        return programs.source(name) if suffix == ".sbn" and name in programs.names() else None
    except (OSError, UnicodeDecodeError):
        return None


def _history_file() -> Path:
    from learned_units.store import cache_folder

    return cache_folder() / "debugger_history"
