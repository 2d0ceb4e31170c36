"""What an editor may ask of a session that it debugs: motions, stops, frames, variables."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from assembler import Origin
from vm.debugger import commands, completion, points, rendering, statements, travel
from vm.debugger.errors import CommandError, Leave
from vm.debugger.session import Session
from vm.debugger.standing import Entry, backtrace, routine, standing
from vm.editors import memory, variables
from vm.editors.arguments import Arguments, Refused, number, record, records, text, texts
from vm.state import Halt

THREAD = 1
Events = list[tuple[str, dict[str, Any]]]

CAPABILITIES = {
    "supportsConfigurationDoneRequest": True,
    "supportsFunctionBreakpoints": True,
    "supportsConditionalBreakpoints": True,
    "supportsHitConditionalBreakpoints": True,
    "supportsEvaluateForHovers": True,
    "supportsStepBack": True,
    "supportsSetVariable": True,
    "supportsRestartRequest": True,
    "supportsGotoTargetsRequest": True,
    "supportsStepInTargetsRequest": True,
    "supportsCompletionsRequest": True,
    "supportsDataBreakpoints": True,
    "supportsReadMemoryRequest": True,
    "supportsWriteMemoryRequest": True,
    "supportsDisassembleRequest": True,
    "supportsInstructionBreakpoints": True,
    "supportsSteppingGranularity": True,
    "supportsTerminateRequest": True,
    "supportsExceptionInfoRequest": True,
    "supportsExceptionFilterOptions": True,
    "exceptionBreakpointFilters": [
        {"filter": "divergence", "label": "Unit and reference differ", "default": True},
        {
            "filter": "margin",
            "label": "Margin below",
            "supportsCondition": True,
            "conditionDescription": "a number, such as 0.5",
        },
    ],
}


@dataclass(frozen=True)
class Run:
    """A motion under way. kind: what `stopped` calls the reason where no stop was reached."""

    kind: str
    motion: Callable[[Session], list[str]]


class Debugged:
    """One launched program. Stops belong to the request that made them; the next one of its kind replaces them."""

    def __init__(self, session: Session, launched: Arguments) -> None:
        self.session = session
        self._launched = launched
        self._stops: dict[str, list[int]] = {}
        self._said = ""  # why the machine stands where it does
        self._library: list[str] = []  # files without a path, by the numbers that editors know them by
        self._answers: dict[str, Callable[[Arguments], Any]] = {
            "configurationDone": self._configured,
            "threads": lambda _: {"threads": [{"id": THREAD, "name": "machine"}]},
            "stackTrace": self._stack_trace,
            "scopes": lambda _: {"scopes": variables.SCOPES},
            "variables": lambda given: {"variables": variables.of(self.session, number(given, "variablesReference"))},
            "setVariable": lambda given: variables.change(self.session, text(given, "name"), text(given, "value")),
            "evaluate": self._evaluate,
            "completions": self._completions,
            "setBreakpoints": self._set_breakpoints,
            "setFunctionBreakpoints": lambda given: self._stops_of("function", given, lambda each: text(each, "name")),
            "setInstructionBreakpoints": lambda given: self._stops_of("instruction", given, _instruction),
            "setDataBreakpoints": self._set_data_breakpoints,
            "dataBreakpointInfo": self._data_breakpoint_info,
            "setExceptionBreakpoints": self._set_exceptions,
            "exceptionInfo": self._exception_info,
            "source": self._source,
            "loadedSources": lambda _: {"sources": [self._place(file) for file in self.session.source.files]},
            "gotoTargets": self._goto_targets,
            "stepInTargets": self._step_in_targets,
            "readMemory": lambda given: memory.read(self.session, given),
            "writeMemory": lambda given: memory.write(self.session, given),
            "disassemble": lambda given: memory.disassembled(self.session, given, self._place),
        }
        self._motions: dict[str, Callable[[Arguments], Run]] = {
            "continue": lambda _: Run("pause", travel.forward),
            "reverseContinue": lambda _: Run("pause", travel.reverse),
            "next": lambda given: Run("step", _by(given, statements.next_)),
            "stepIn": self._step_in,
            "stepOut": lambda _: Run("step", statements.finish),
            "stepBack": lambda given: Run("step", _back(given)),
            "goto": self._goto,
        }

    def answer(self, command: str, given: Arguments) -> tuple[Arguments, Events, Run | None]:
        """The body of the answer, events that follow it, and the run that it begins. Raises Refused, CommandError."""
        if command in self._motions:
            run = self._motions[command](given)
            return {"allThreadsContinued": True} if command in ("continue", "reverseContinue") else {}, [], run
        if command == "restart":
            self.session.restart()
            self._said = ""
            return {}, [], self._begun()
        if command not in self._answers:
            raise Refused(f"`{command}` is not supported")
        before = self.session.present.step
        body = self._answers[command](given)
        if isinstance(body, Run):
            return {}, [], body
        moved = command == "evaluate" and self.session.present.step != before
        return body, [self._stopped("step")] if moved else [], None

    def move(self, run: Run) -> Events | None:
        """Carry out a motion. What is to be told; None where a request has broken it off."""
        session = self.session
        session.hit = []
        if run.kind != "step":
            session.look_at_program()
        try:
            reasons = run.motion(session)
        except CommandError as error:
            reasons = [str(error)]
        if session.stop_requested.is_set() and reasons and reasons[-1].startswith("interrupted") and not session.hit:
            return None
        self._said = "\n".join(reasons)
        if session.halt is Halt.HALTED and not self._launched.get("stayAtEnd"):
            said = {"category": "console", "output": f"{self._said}\n"}
            return [("output", said), ("exited", {"exitCode": 0}), ("terminated", {})]
        return [self._stopped(run.kind)]

    def _stopped(self, kind: str) -> tuple[str, Arguments]:
        session = self.session
        kinds = {point.kind for point in session.hit}
        reason = kind
        if kinds & {points.WATCH, points.VALUE, points.READ}:
            reason = "data breakpoint"
        elif points.BREAK in kinds:
            reason = "breakpoint"
        elif points.MARGIN in kinds or session.halt in (Halt.DIVERGED, Halt.BAD_ADDRESS, Halt.PC_OUTSIDE):
            reason = "exception"
        body: Arguments = {"reason": reason, "threadId": THREAD, "allThreadsStopped": True}
        if self._said:
            body |= {"description": self._said.splitlines()[0], "text": self._said}
        stops = [point.number for point in session.hit if point.kind not in (points.MARGIN, points.DIVERGENCE)]
        return "stopped", body | ({"hitBreakpointIds": stops} if stops else {})

    # --- beginning ----------------------------------------------------------------------------------------------------

    def _configured(self, given: Arguments) -> Any:
        return self._begun()

    def _begun(self) -> Run:
        if self._launched.get("stopOnEntry"):
            return Run("entry", lambda session: travel.forward(session, 0))
        return Run("pause", travel.begin)

    # --- places -------------------------------------------------------------------------------------------------------

    def _place(self, file: str) -> Arguments:
        """A file as editors want it: by its path, or by a number where it is the library's."""
        if os.path.isfile(file):
            return {"name": os.path.basename(file), "path": os.path.abspath(file)}
        if file not in self._library:
            self._library.append(file)
        return {"name": file, "sourceReference": self._library.index(file) + 1, "presentationHint": "deemphasize"}

    def _file(self, source: Arguments) -> str:
        """The name that a file of the program has in it."""
        reference = source.get("sourceReference")
        if isinstance(reference, int) and 0 < reference <= len(self._library):
            return self._library[reference - 1]
        path = source.get("path")
        if not isinstance(path, str):
            raise Refused("a source is named by its path")
        try:
            real = os.path.realpath(path)
        except ValueError:
            raise Refused("no file can have the path of this source") from None
        return next((file for file in self.session.source.files if os.path.realpath(file) == real), path)

    def _source(self, given: Arguments) -> Arguments:
        found = self.session.read_source(self._file(record(given, "source") or given))
        if found is None:
            raise Refused("the text of this source is not available")
        return {"content": found}

    def _stack_trace(self, given: Arguments) -> Arguments:
        session = self.session
        here = {"instructionPointerReference": str(session.present.pc)}
        try:
            entries = [] if session.has_halted else backtrace(session)
        except CommandError:
            entries = []
        if not entries:
            name = "halted" if session.has_halted else rendering.instruction_at(session, session.present.pc)
            return {"stackFrames": [{"id": 1, "name": name, "line": 0, "column": 0, **here}], "totalFrames": 1}
        start = number(given, "startFrame", 0, least=0)
        count = number(given, "levels", 0, least=0) or len(entries)  # 0 asks for all
        shown = list(enumerate(entries))[start : start + count]
        return {"stackFrames": [self._frame(index, entry) for index, entry in shown], "totalFrames": len(entries)}

    def _frame(self, index: int, entry: Entry) -> Arguments:
        if entry.call is not None:
            name = f"{rendering.statement(entry.call.text)} (macro)"
        else:
            name = routine(self.session, entry.frame) if entry.frame is not None else "program"
        address = entry.address if index else self.session.present.pc
        return {
            "id": index + 1,
            "name": name,
            "source": self._place(entry.origin.file),
            "line": entry.origin.line,
            "column": 1,
            "instructionPointerReference": str(address),
        }

    # --- stops --------------------------------------------------------------------------------------------------------

    def _set_breakpoints(self, given: Arguments) -> Arguments:
        file = self._file(record(given, "source"))
        return self._stops_of(f"source {file}", given, lambda each: f"{file}:{number(each, 'line', least=1)}")

    def _stops_of(self, owner: str, given: Arguments, place: Callable[[Arguments], str]) -> Arguments:
        wanted = records(given, "breakpoints")
        self._clear(owner)
        return {"breakpoints": [self._stop(owner, "break", place, each) for each in wanted]}

    def _set_data_breakpoints(self, given: Arguments) -> Arguments:
        wanted = records(given, "breakpoints")
        self._clear("data")
        made = []
        for each in wanted:
            name = "watch" if each.get("accessType", "write") == "write" else "rwatch"
            made.append(self._stop("data", name, lambda data: text(data, "dataId"), each))
        return {"breakpoints": made}

    def _stop(self, owner: str, name: str, place: Callable[[Arguments], str], given: Arguments) -> Arguments:
        """Make a stop by the command that a user would type."""
        session = self.session
        try:
            condition, hits = text(given, "condition", "").strip(), text(given, "hitCondition", "").lstrip(">= ")
            ignored = max(session.evaluate(hits) - 1, 0) if hits else 0
            self._execute(f"{name} {place(given)}" + (f" if {condition}" if condition else ""))
            point = session.points[-1]
            point.ignored = ignored
        except (CommandError, Refused) as error:
            return {"verified": False, "message": str(error)}
        self._stops.setdefault(owner, []).append(point.number)
        path = session.path(point.address)
        shown: Arguments = {"id": point.number, "verified": True, "instructionReference": str(point.address)}
        if path and point.kind == points.BREAK:
            origin = _line_in(path, point.text)
            shown |= {"line": origin.line, "source": self._place(origin.file)}
        return shown

    def _clear(self, owner: str) -> None:
        numbers = self._stops.pop(owner, [])
        for point in [point for point in self.session.points if point.number in numbers]:
            self.session.delete_point(point.number)

    def _data_breakpoint_info(self, given: Arguments) -> Arguments:
        name = text(given, "name").partition(" ")[0]
        try:
            address = self.session.checked_address(self.session.evaluate(name))
        except CommandError as error:
            return {"dataId": None, "description": str(error)}
        shown = rendering.place(self.session, address)
        return {"dataId": name, "description": f"the word at {shown}", "accessTypes": ["read", "write", "readWrite"]}

    def _set_exceptions(self, given: Arguments) -> Arguments:
        session = self.session
        wanted = dict.fromkeys(texts(given, "filters"), "")
        wanted |= {text(each, "filterId"): text(each, "condition", "") for each in records(given, "filterOptions")}
        self._clear("exception")
        if session.checks != ("divergence" in wanted):
            for point in [point for point in session.points if point.kind == points.DIVERGENCE]:
                session.delete_point(point.number)
            if "divergence" in wanted:
                session.add_point(points.DIVERGENCE, "divergence")
        if "margin" in wanted:
            self._execute(f"break margin < {wanted['margin'] or '0.5'}")
            self._stops["exception"] = [session.points[-1].number]
        return {}

    def _exception_info(self, given: Arguments) -> Arguments:
        name = "divergence" if self.session.halt is Halt.DIVERGED else self.session.halt.name.lower()
        return {"exceptionId": name, "description": self._said, "breakMode": "always"}

    def _execute(self, line: str) -> str:
        """What a command says that the user did not type: none of the lines that the console is asked for."""
        collecting, self.session.collecting = self.session.collecting, None
        try:
            return commands.execute(self.session, line)
        finally:
            self.session.collecting = collecting

    # --- motions ------------------------------------------------------------------------------------------------------

    def _goto_targets(self, given: Arguments) -> Arguments:
        line = number(given, "line", least=1)
        address = self.session.source.address_of_line(line, self._file(record(given, "source")))
        if address is None:
            raise Refused(f"no word was made by line {line} or one after it")
        return {"targets": [{"id": address, "label": rendering.place(self.session, address), "line": line}]}

    def _goto(self, given: Arguments) -> Run:
        target = self.session.checked_address(number(given, "targetId", least=0))
        self._execute(f"pc = {target}")
        return Run("goto", lambda session: [])

    def _step_in(self, given: Arguments) -> Run:
        into = given.get("targetId") == 1
        return Run("step", statements.step_into if into else _by(given, statements.step))

    def _step_in_targets(self, given: Arguments) -> Arguments:
        here, level = standing(self.session), self.session.level
        if level + 1 >= len(here.path):
            return {"targets": []}
        return {"targets": [{"id": 1, "label": f"the expansion of {rendering.statement(here.path[level].text)}"}]}

    # --- the console --------------------------------------------------------------------------------------------------

    def _evaluate(self, given: Arguments) -> Arguments:
        expression = text(given, "expression")
        if given.get("context") == "repl":
            try:
                return {"result": commands.execute(self.session, expression), "variablesReference": 0}
            except Leave:
                raise Refused("the editor ends the session") from None
            except CommandError as error:
                if not str(error).startswith("there is no command") and "is not a command" not in str(error):
                    raise
        return variables.evaluated(self.session, expression)

    def _completions(self, given: Arguments) -> Arguments:
        line = text(given, "text")[: number(given, "column", least=1) - 1]
        return {"targets": [{"label": each} for each in completion.complete(self.session, line)]}


def _instruction(given: Arguments) -> str:
    return str(memory.address(given, "instructionReference") + number(given, "offset", 0))


def _line_in(path: tuple[Origin, ...], place: str) -> Origin:
    """The line of a path that a place FILE:LINE names, the program's where it names none."""
    file = place.rpartition(":")[0]
    return next((origin for origin in path if origin.file == file), path[0])


def _by(given: Arguments, motion: Callable[[Session], list[str]]) -> Callable[[Session], list[str]]:
    if given.get("granularity") == "instruction":
        return lambda session: statements.step_instructions(session, 1)
    return motion


def _back(given: Arguments) -> Callable[[Session], list[str]]:
    if given.get("granularity") == "instruction":
        return lambda session: travel.backward(session, 1)
    return statements.step_back
