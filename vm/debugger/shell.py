"""The shell: lines in, text out. At a terminal with prompt, history, completion and a toolbar; in a pipe with none."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from learned_units import interrupts
from vm.debugger import commands, completion, rendering, standing, typed
from vm.debugger.beside import Beside, NeedsTerminal
from vm.debugger.block_lines import opens_block
from vm.debugger.errors import CommandError, Leave
from vm.debugger.session import Session
from vm.margin import format_margin

if TYPE_CHECKING:
    from pathlib import Path

    from prompt_toolkit import PromptSession

BETWEEN = " · "  # the parts of the toolbar
_MACHINE = re.compile(r"(?<![\w$.])(pc|step)\b")  # what stands for the machine in an expression, unless it is a label


class Shell:
    """One session and where its text goes.

    write: takes bytes of output. `statements`: a bare line is a statement to assemble and execute, and only `:` begins
    a command.
    """

    def __init__(self, session: Session, write: Callable[[bytes], None], statements: bool = False) -> None:
        self.session = session
        self.statements = statements
        self.failed = False  # whether any command was refused
        self._write = write
        self._at_line_start = True
        self._last = ""
        self._told: set[str] = set()  # clashes of names
        session.on_output = self._pass_on
        session.on_dropped = lambda first: self.say(
            f"(the history holds {session.limit:,} steps; those before step {first:,} are dropped)"
        )

    def take(self, line: str) -> None:
        """Carry out one line; an empty one repeats the last. Raises Leave."""
        line = line.strip() or self._last
        self._last = line
        try:
            if self.statements and line and not line.startswith(":"):
                self.say(self._entered(line))
            else:
                self._tell_clashes(line.lstrip(":").partition(" ")[2])
                self.say(commands.execute(self.session, line))
        except CommandError as error:
            self.failed = True
            self.say(f"error: {error}")
        except KeyboardInterrupt:
            self.say("interrupted")
        except Leave:
            raise
        except Exception as error:
            self.failed = True
            said = " ".join(str(error).split())
            self.say(f"error: {type(error).__name__}: {said}; this should not happen, and the session goes on")

    def _entered(self, statement: str) -> str:
        """Assemble and execute a statement; where it is refused, say also what else the user may have meant.

        Raises CommandError.
        """
        try:
            return typed.enter(self.session, statement)
        except CommandError as error:
            word = rendering.statement(statement).lower().partition(" ")[0]
            if commands.is_name(word):
                raise CommandError(str(error), f"the command is `:{word}`") from None
            if opens_block(statement):
                raise CommandError(
                    str(error), "a line is a whole statement here: blocks and macros need a file"
                ) from None
            raise

    def take_all(self, text: str) -> None:
        """Carry out what was typed, or the lines that were pasted; Ctrl-C drops those left. Raises Leave."""
        lines = text.split("\n")
        if len(lines) == 1:
            self.take(text)
            return
        try:
            self.run_script(lines)
        except KeyboardInterrupt:
            interrupts.answer()

    def _tell_clashes(self, typed: str) -> None:
        """Say, once, that a name in this text is that of a label and not the machine's."""
        for name in _MACHINE.findall(typed):
            if name in self.session.symbols and name not in self._told:
                self._told.add(name)
                address = self.session.symbols[name]
                self.say(f"note: `{name}` is the program's label at {address}; the machine's is `${name}`")

    def run_script(self, lines: Iterable[str]) -> None:
        """Carry out the lines of a pipe or a file. Empty lines and those that begin with ; or # say nothing.

        Ctrl-C ends not only the command: raises KeyboardInterrupt after it.
        """
        for line in lines:
            if line.strip() and line.strip()[0] not in ";#":
                self.take(line)
                interrupts.check()

    def interact(
        self,
        history: Path | None,
        prepare: Callable[[], object] = lambda: None,
        prepare_at_terminal: Callable[[], object] = lambda: None,
    ) -> None:
        """Prompt for lines until the user leaves. Ctrl-C drops the line, Ctrl-D leaves.

        prepare: what the first line has to wait for; it is done in a thread once the prompt is shown. Where it raises
        NeedsTerminal, the prompt gives way to prepare_at_terminal, and comes back with what was typed.
        """
        prompt = prompt_session(self, history)
        interrupts.check()
        with ThreadPoolExecutor(1) as executor:
            beside = Beside(executor, prompt.app, prepare, prepare_at_terminal)
            typed = ""
            while True:
                line = None
                try:
                    line = prompt.prompt(default=typed)
                    typed = ""
                except NeedsTerminal:
                    typed = prompt.default_buffer.text
                except KeyboardInterrupt:
                    typed = ""
                    continue
                except EOFError:
                    return
                finally:
                    interrupts.take_back()
                    interrupts.answer()
                beside.wait()
                if line is not None:
                    self.take_all(line)

    def say(self, text: str) -> None:
        """Text of the debugger, on lines of its own."""
        if not text:
            return
        if not self._at_line_start:
            self._write(b"\n")
        self._at_line_start = True
        self._write(f"{text}\n".encode("utf-8", "backslashreplace"))

    def _pass_on(self, data: bytes) -> None:
        """What the program writes."""
        self._write(data)
        self._at_line_start = data.endswith(b"\n")


def prompt_session(shell: Shell, history: Path | None) -> PromptSession[str]:
    """The prompt of a shell at a terminal."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
    from prompt_toolkit.completion import Completer, Completion
    from prompt_toolkit.enums import DEFAULT_BUFFER
    from prompt_toolkit.filters import has_focus
    from prompt_toolkit.history import FileHistory, InMemoryHistory
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.keys import Keys
    from prompt_toolkit.lexers import DynamicLexer, PygmentsLexer
    from prompt_toolkit.styles.pygments import style_from_pygments_cls

    from vm.editors.pygments_lexer import SbnLexer, SbnStyle

    class Words(Completer):
        def get_completions(self, document: Any, complete_event: Any) -> Iterable[Completion]:
            line = document.text_before_cursor
            for found in completion.complete(shell.session, line, shell.statements):
                word = line.rpartition(" ")[2] if "/" in found else completion.word_before(line)
                yield Completion(found, start_position=-len(word))

    class KeptHistory(FileHistory):
        """Lines of earlier sessions; where they cannot be read or kept, as on a full disk, those of this one."""

        def load_history_strings(self) -> Iterable[str]:
            try:
                return list(super().load_history_strings())
            except OSError:
                return []

        def store_string(self, string: str) -> None:
            with contextlib.suppress(OSError, UnicodeEncodeError):  # a byte that was typed may be no character
                super().store_string(string)

    kept: Any = InMemoryHistory()
    if history is not None and (history.is_file() or not history.exists()):  # no device: reading it may never end
        with contextlib.suppress(OSError):
            history.parent.mkdir(parents=True, exist_ok=True)
            kept = KeptHistory(str(history))
    source = PygmentsLexer(SbnLexer)
    bindings = KeyBindings()

    @bindings.add("enter", filter=has_focus(DEFAULT_BUFFER))
    def _(event: Any) -> None:
        """Enter; where lines are pasted that end in a carriage return and a line feed, that is one Enter, not two."""
        waiting = event.key_processor.input_queue
        if waiting and waiting[0].key == Keys.ControlJ:
            waiting.popleft()
        event.current_buffer.validate_and_handle()

    prompt: PromptSession[str] = PromptSession(
        "sbn> " if shell.statements else "(sbn) ",
        history=kept,
        completer=Words(),
        complete_while_typing=False,
        auto_suggest=AutoSuggestFromHistory(),
        key_bindings=bindings,
        lexer=DynamicLexer(lambda: source if shell.statements and prompt.default_buffer.text[:1] != ":" else None),
        style=style_from_pygments_cls(SbnStyle),
        bottom_toolbar=lambda: fitted(toolbar(shell.session), prompt.output.get_size().columns),
    )
    return prompt


def toolbar(session: Session) -> str:
    """pc, steps, unit, the smallest margin so far, source line, and what there is to read: the most important first."""
    pc = session.present.pc
    where = "halted" if session.has_halted else rendering.place(session, pc)
    parts = [f"pc {where}", f"step {session.present.step:,} of {session.history.end:,}"]
    if session.is_ready:
        smallest = format_margin(session.history.smallest_margin(session.present.step))
        parts += [session.unit.name, f"smallest margin {smallest}"]
    else:
        parts.append("the unit is being loaded")
    line = rendering.place_of(standing.standing(session).path)
    if line:
        parts.append(line)
    unread = len(session.present.unread)
    if unread:
        parts.append(f"{rendering.counted(unread, 'byte')} to read")
    return BETWEEN.join(parts)


def fitted(shown: str, columns: int) -> str:
    """The first parts of a toolbar, as many as fit."""
    while len(shown) > columns and BETWEEN in shown:
        shown = shown.rpartition(BETWEEN)[0]
    return shown
