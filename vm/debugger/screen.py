"""The full screen: source, memory, margins and output at once, driven by keys; `:` opens a line for any command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from vm.debugger import panes
from vm.debugger.panes import Line
from vm.debugger.session import Session
from vm.debugger.shell import Shell, fitted, toolbar
from vm.state import Halt

if TYPE_CHECKING:
    from prompt_toolkit import Application

FRAME_ROWS = 6  # toolbar, three rules, command line, keys
LEAST_ROWS = 5  # of the source, before output and result have more than one each
MOST_ROWS = 4  # of the output, and of the result
BESIDE_COLUMNS, BESIDE_ROWS = 70, 7  # what the screen needs for memory and margins beside the source
KEYS = {
    "s": "step",
    "n": "next",
    "c": "continue",
    "f": "finish",
    "b": "back",
    "r": "reverse-continue",
    "u": "undo",
    "e": "explain",
    "w": "where",
}
WIDE_COLUMNS = 100  # for long bars of margins
STYLES = {
    "current": "reverse",
    "changed": "ansired reverse",
    "number": "ansibrightblack",
    "rule": "ansibrightblack",
    "keys": "ansibrightblack",
}
HELP = (  # the first that fits
    "s step · n next · c continue · f finish · b back · r reverse · u undo · e explain · w where · : command · q quit",
    "s step · n next · c continue · f finish · b back · r reverse · u undo · : line · q quit",
    "s step  n next  c continue  f finish  b back  r reverse  : command  q quit",
    "s step n next c continue f finish b back r reverse : q quit",
)


class Screen:
    """One session on a full screen. What a command says stands below; where it is long, in place of the source."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.memory_start = 0
        self.page: list[str] = []  # of a long answer, in place of the source
        self.page_start = 0
        self.said = bytearray()
        self.shell = Shell(session, self.said.extend)
        session.on_output = lambda data: None  # the output pane shows it
        session.on_moved = self._moved
        self._running: str | None = None
        self._reached: int | None = None  # the step that a command has got to that runs now
        self._shown: dict[str, list[Line]] = {}  # what the panes showed before the command that runs now
        self._before: np.ndarray | None = None  # the memory at the last stop
        self._app: Any = None

    def run(self) -> None:
        """Show the screen until the user leaves."""
        self._app = self.application()
        self._app.run()

    def carry_out(self, line: str) -> None:
        """Start a command; it runs beside the screen, which goes on answering."""
        if self._running is None:
            self._running, self._reached = line, None
            self.session.stop_requested.clear()
            self._app.create_background_task(self._carry_out(line))

    async def _carry_out(self, line: str) -> None:
        from vm.debugger.errors import Leave

        self.said.clear()
        stood, words = self._place(), self.session.present.memory.copy()
        try:
            await asyncio.get_running_loop().run_in_executor(None, self.shell.take_all, line)
        except Leave:
            self._app.exit()
        finally:
            self._running = None
        lines = self.said.decode("utf-8", "replace").splitlines()
        has_moved, width = self._place() != stood, self._app.output.get_size().columns
        rows = [line[at : at + width] for line in lines for at in range(0, max(len(line), 1), width)]
        # After a motion the source is what to look at.
        is_long = len(lines) > MOST_ROWS if has_moved else len(rows) > self._result_rows()
        is_long = is_long and not (self._has_diverged() and self._is_wide())
        self.page, self.page_start = (rows, 0) if is_long else ([], 0)
        if has_moved:
            self._before = words if len(words) == self.session.size else None
        columns = self._memory_columns()
        self.memory_start = panes.shown_from(self.session, self.memory_start, self._rows() // 2, columns)
        self._app.invalidate()

    def _moved(self, step: int | None) -> None:
        """Show how far the command has got; called in the thread that carries it out."""
        self._reached = step
        if step is not None and self._app is not None:
            self._app.invalidate()

    def _has_diverged(self) -> bool:
        """Whether the unit and the reference differ at the step that comes next."""
        return self.session.halt is Halt.DIVERGED

    def _place(self) -> tuple[int, int]:
        """What tells one stop from another: the step, and how many changes by hand there are."""
        return self.session.present.step, len(self.session.history.edits)

    def pane(self, name: str) -> Line:
        """One pane in pieces of text with their styles, as it is now; while a command runs, as it was."""
        if self._running is None or name not in self._shown:
            self._shown[name] = self._lines(name)
        return [piece for line in self._shown[name] for piece in (*line, ("", "\n"))]

    def _lines(self, name: str) -> list[Line]:
        session, rows = self.session, self._rows()
        if name == "source" and not self.page:
            return [panes.painted(line) for line in panes.source(session, rows)]
        if name == "memory":
            return panes.memory(session, self.memory_start, rows // 2, self._memory_columns(), self._before)
        if name == "source":
            lines = self.page[self.page_start :][:rows]
        elif name == "margins" and self._has_diverged():
            lines = panes.divergence(session, (self._app.output.get_size().columns - 1) // 2)
        elif name == "margins":
            is_narrow = self._app.output.get_size().columns < WIDE_COLUMNS
            cells = panes.NARROW_CELLS if is_narrow else panes.MARGIN_CELLS
            lines = panes.margins(session, rows - rows // 2 - 1, cells)
        else:
            lines = panes.output(session, self._output_rows()) if name == "output" else [self._toolbar()]
        return [[("", line)] for line in lines]

    def _toolbar(self) -> str:
        return fitted(toolbar(self.session), self._app.output.get_size().columns)

    def result(self) -> str:
        """What the last command said, or that one is running."""
        if self._running is not None:
            reached = "" if self._reached is None else f", step {self._reached:,}"
            return f"{self._running} … (Ctrl-C stops it){reached}"
        if self.page:
            return f"{len(self.page)} lines above; PageUp and PageDown scroll, Escape closes"
        return self.said.decode("utf-8", "replace").rstrip("\n")

    def _help(self) -> str:
        """The keys, as far as they fit."""
        columns = self._app.output.get_size().columns
        return next((line for line in HELP if len(line) <= columns), HELP[-1])

    def scroll(self, pages: int) -> None:
        """Move the long answer, or else the memory, by pages."""
        rows = self._rows()
        if self.page:
            self.page_start = max(0, min(self.page_start + pages * rows, len(self.page) - 1))
        else:
            words = rows // 2 * self._memory_columns()
            self.session.memory_place = None
            self.memory_start = max(0, min(self.memory_start + pages * words, self.session.size - 1))

    def _spare(self) -> int:
        """Rows for output and result, beyond one of each and the least of the source."""
        return max(0, self._app.output.get_size().rows - FRAME_ROWS - LEAST_ROWS - 2)

    def _result_rows(self) -> int:
        return min(MOST_ROWS, 1 + -(-self._spare() // 3))

    def _output_rows(self) -> int:
        return min(MOST_ROWS, 1 + self._spare() // 4)

    def _rows(self) -> int:
        """Rows of the panes above."""
        rows = self._app.output.get_size().rows - FRAME_ROWS
        return max(1, rows - self._output_rows() - self._result_rows())

    def _has_beside(self) -> bool:
        """Whether memory and margins stand beside the source."""
        return not self.page and self._is_wide()

    def _is_wide(self) -> bool:
        return self._app.output.get_size().columns >= BESIDE_COLUMNS and self._rows() >= BESIDE_ROWS

    def _source_columns(self) -> int | None:
        """The columns of the source, where something stands beside it; None: all."""
        return (self._app.output.get_size().columns - 1) // 2 if self._has_beside() else None

    def _memory_columns(self) -> int:
        """Words in a row, on half of the screen."""
        room = self._app.output.get_size().columns // 2 - panes.ADDRESS_WIDTH - 2
        return max(1, room // panes.word_width(self.session))

    def application(self) -> Application[None]:
        """The screen as an application of prompt-toolkit."""
        from prompt_toolkit import Application
        from prompt_toolkit.filters import Condition
        from prompt_toolkit.layout import ConditionalContainer, HSplit, Layout, VSplit, Window
        from prompt_toolkit.layout.controls import FormattedTextControl
        from prompt_toolkit.styles import Style, merge_styles
        from prompt_toolkit.styles.pygments import style_from_pygments_cls
        from prompt_toolkit.widgets import TextArea

        from vm.editors.pygments_lexer import SbnStyle

        def window(text: Callable[[], Any], **kind: Any) -> Any:
            return Window(FormattedTextControl(text, focusable=True, show_cursor=False), **kind)

        def rule(title: str | Callable[[], str]) -> Any:
            said = title if callable(title) else lambda: title
            return Window(FormattedTextControl(lambda: f"── {said()} "), height=1, char="─", style="class:rule")

        command = TextArea(
            height=1, prompt=":", multiline=False, accept_handler=lambda buffer: self._entered(buffer.text)
        )
        beside = HSplit(
            [
                rule("memory"),
                window(lambda: self.pane("memory"), height=lambda: self._rows() // 2),
                rule(lambda: f"step {self.session.present.step:,} differs" if self._has_diverged() else "margins"),
                window(lambda: self.pane("margins")),
            ]
        )
        top = VSplit(
            [
                HSplit(
                    [rule(lambda: "answer" if self.page else "source"), window(lambda: self.pane("source"))],
                    width=self._source_columns,
                ),
                ConditionalContainer(VSplit([Window(width=1, char="│"), beside]), Condition(self._has_beside)),
            ]
        )
        keys = window(self._help, height=1, style="class:keys")
        root = HSplit(
            [
                window(lambda: self.pane("toolbar"), height=1, style="reverse"),
                top,
                rule("output"),
                window(lambda: self.pane("output"), height=lambda: self._output_rows()),
                rule("result"),
                window(self.result, height=lambda: self._result_rows(), wrap_lines=True),
                command,
                keys,
            ]
        )
        # The keys drive the machine while the line for commands is not focused.
        self._command, self._keys = command, keys
        layout = Layout(root)
        layout.focus(keys.content)
        style = merge_styles([style_from_pygments_cls(SbnStyle), Style(list(STYLES.items()))])
        return Application(layout=layout, key_bindings=self._bindings(), style=style, full_screen=True)

    def _entered(self, line: str) -> bool:
        self._app.layout.focus(self._keys.content)
        if line.strip():
            self.carry_out(line)
        return False

    def _bindings(self) -> Any:
        from prompt_toolkit.application.current import get_app
        from prompt_toolkit.filters import Condition
        from prompt_toolkit.key_binding import KeyBindings

        bindings = KeyBindings()
        driving = Condition(lambda: not get_app().layout.has_focus(self._command))

        for key, line in KEYS.items():
            bindings.add(key, filter=driving)(lambda event, line=line: self.carry_out(line))

        @bindings.add("q", filter=driving)
        @bindings.add("c-d")
        def _(event: Any) -> None:
            self.session.stop_requested.set()
            event.app.exit()

        @bindings.add(":", filter=driving)
        def _(event: Any) -> None:
            event.app.layout.focus(self._command)

        @bindings.add("escape", eager=True)
        def _(event: Any) -> None:
            self.page = []
            event.app.layout.focus(self._keys.content)

        @bindings.add("c-c")
        def _(event: Any) -> None:
            self.session.stop_requested.set()
            self._command.text = ""
            event.app.layout.focus(self._keys.content)

        @bindings.add("pagedown")
        def _(event: Any) -> None:
            self.scroll(1)

        @bindings.add("pageup")
        def _(event: Any) -> None:
            self.scroll(-1)

        return bindings
