"""The debug adapter, spoken to in its protocol: what an editor asks, what it is told, and what no request may do."""

import base64
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest

from assembler import assemble
from learned_units import load_unit
from vm.debugger.session import Session
from vm.editors.adapter import Adapter
from vm.editors.arguments import Refused
from vm.editors.messages import Malformed, Messages

SOURCE = (Path(__file__).parent / "golden" / "debugger" / "calls.sbn").read_text()
ENDLESS = "loop: sbn one, n\n sbn zero, minus, loop\none: .word 1\nn: .word 0\nzero: .word 0\nminus: .word -1\n"


class Editor:
    """A client of an adapter that runs in a thread."""

    def __init__(self, source: str, path: Path) -> None:
        path.write_text(source)
        self.path = str(path)
        requests, asked = os.pipe()
        answers, told = os.pipe()
        modes = ((requests, "rb"), (asked, "wb"), (answers, "rb"), (told, "wb"))
        self._streams: list[Any] = [os.fdopen(each, mode) for each, mode in modes]
        self._answers = Messages(self._streams[2], io.BytesIO())
        self._sent = 0
        self._kept: list[dict[str, Any]] = []
        self._queue: Queue[dict[str, Any]] = Queue()
        adapter = Adapter(Messages(self._streams[0], self._streams[3]), self._open)
        self.threads = [threading.Thread(target=each, daemon=True) for each in (adapter.serve, self._listen)]
        for thread in self.threads:
            thread.start()

    def _open(self, launched: dict[str, Any]) -> Session:
        if "program" not in launched:
            raise Refused("no program")
        image = assemble(Path(launched["program"]).read_text(), launched["program"])
        unit = load_unit(launched.get("unit", "native"))
        return Session(image, unit, read_source=lambda file: Path(file).read_text() if Path(file).exists() else None)

    def _listen(self) -> None:
        while (message := self._answers.read()) is not None:
            self._queue.put(message)

    def send_bytes(self, data: bytes) -> None:
        self._streams[1].write(data)
        self._streams[1].flush()

    def send(self, command: Any, arguments: Any = None) -> int:
        self._sent += 1
        message = {"seq": self._sent, "type": "request", "command": command, "arguments": arguments}
        data = json.dumps(message).encode()
        self.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        return self._sent

    def wait(self, is_wanted: Any) -> dict[str, Any]:
        for message in self._kept:
            if is_wanted(message):
                self._kept.remove(message)
                return message
        while True:
            try:
                message = self._queue.get(timeout=60)
            except Empty:
                raise AssertionError(f"nothing of the kind came, but {self._kept}") from None
            if is_wanted(message):
                return message
            self._kept.append(message)

    def answer(self, command: str, **arguments: Any) -> dict[str, Any]:
        sent = self.send(command, arguments)
        return self.wait(lambda message: message.get("request_seq") == sent)

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        answered = self.answer(command, **arguments)
        assert answered["success"], answered
        return answered.get("body", {})

    def event(self, name: str) -> dict[str, Any]:
        return self.wait(lambda message: message.get("event") == name)["body"]

    def begin(self, **launched: Any) -> "Editor":
        self.ask("initialize", adapterID="sbn")
        self.ask("launch", program=self.path, **launched)
        self.event("initialized")
        return self

    def stopped(self, command: str, **arguments: Any) -> tuple[str, int]:
        """Move, and where that stopped: the reason and the line."""
        self.ask(command, threadId=1, **arguments)
        return self.event("stopped")["reason"], self.line()

    def line(self) -> int:
        return self.ask("stackTrace", threadId=1)["stackFrames"][0]["line"]

    def leave(self) -> None:
        self.ask("disconnect")
        self.threads[0].join(20)
        assert not self.threads[0].is_alive()
        self._streams[3].close()
        self.threads[1].join(20)
        for stream in self._streams:
            stream.close()


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    opened = Editor(SOURCE, tmp_path / "calls.sbn")
    yield opened
    opened.leave()


def test_a_program_is_stepped_by_its_lines_forwards_and_backwards(editor: Editor) -> None:
    editor.begin(stopOnEntry=True)
    assert editor.stopped("configurationDone") == ("entry", 7)
    assert [editor.stopped("next")[1] for _ in range(4)] == [8, 9, 10, 11]
    assert [editor.stopped("stepBack")[1] for _ in range(3)] == [19, 15, 10]
    assert editor.stopped("stepIn") == ("step", 15)
    assert [frame["name"] for frame in editor.ask("stackTrace", threadId=1)["stackFrames"]] == ["fact", "program"]
    assert editor.stopped("stepOut") == ("step", 11)
    [target] = editor.ask("stepInTargets", frameId=1)["targets"]
    assert target["label"] == "the expansion of line f"
    assert editor.stopped("stepIn", targetId=target["id"]) == ("step", 3)
    assert editor.stopped("next", granularity="instruction")[0] == "step"


def test_breakpoints_stop_by_line_condition_name_and_data_and_are_replaced(editor: Editor) -> None:
    editor.begin()
    source = {"path": editor.path}
    wanted = [{"line": 17, "condition": "[n] == 3"}, {"line": 999}, {"line": 7, "hitCondition": "2"}]
    made = editor.ask("setBreakpoints", source=source, breakpoints=wanted)["breakpoints"]
    assert [each["verified"] for each in made] == [True, False, True] and made[0]["line"] == 17
    assert editor.stopped("configurationDone") == ("breakpoint", 7)
    assert editor.ask("evaluate", expression="n")["result"] == "1"
    assert editor.stopped("continue") == ("breakpoint", 7)
    editor.ask("setBreakpoints", source=source, breakpoints=[])
    info = editor.ask("dataBreakpointInfo", name="f")
    editor.ask(
        "setDataBreakpoints", breakpoints=[{"dataId": info["dataId"], "accessType": "write", "condition": "[f] == 6"}]
    )
    assert editor.stopped("continue")[0] == "data breakpoint"
    editor.ask("setDataBreakpoints", breakpoints=[])
    assert editor.ask("setFunctionBreakpoints", breakpoints=[{"name": "fact"}, {"name": "x"}])["breakpoints"][1][
        "message"
    ]
    assert editor.stopped("continue") == ("breakpoint", 15)
    assert editor.stopped("reverseContinue") == ("breakpoint", 15)


def test_a_run_ends_and_its_output_comes_first(editor: Editor) -> None:
    editor.begin()
    editor.ask("configurationDone")
    written = ""
    while written.count("\n") < 4:
        written += editor.event("output")["output"]
    assert written.split()[:4] == ["1", "2", "6", "24"]
    assert editor.event("exited") == {"exitCode": 0} and editor.event("terminated") == {}
    assert editor.stopped("reverseContinue") == ("pause", 7), "there is no end to going back"


def test_words_are_shown_and_changed_as_variables_and_as_bytes(editor: Editor) -> None:
    editor.begin(stopOnEntry=True, unit="ntk-limit")
    editor.stopped("configurationDone")
    editor.stopped("next")
    scopes = editor.ask("scopes", frameId=1)["scopes"]
    machine, symbols, learned = (
        {
            each["name"]: each
            for each in editor.ask("variables", variablesReference=scope["variablesReference"])["variables"]
        }
        for scope in scopes
    )
    assert machine["$step"]["value"] == "1" and symbols["n"]["value"] == "1"
    assert any("prediction" in each["value"] and "margin" in each["value"] for each in learned.values())
    assert editor.ask("setVariable", variablesReference=2, name="n", value="-2")["value"] == "-2 (65534)"
    where = symbols["n"]["memoryReference"]
    read = editor.ask("readMemory", memoryReference=where, count=4)
    assert base64.b64decode(read["data"]) == b"\xfe\xff\x00\x00"
    assert editor.ask("writeMemory", memoryReference=where, offset=1, data=base64.b64encode(b"\x01").decode()) == {
        "bytesWritten": 1
    }
    assert editor.ask("evaluate", expression="[n]")["result"] == "510"
    assert editor.ask("evaluate", expression="print [n] + 1", context="repl")["result"] == "[n] + 1 = 511, 0x1FF"
    rows = editor.ask("disassemble", memoryReference="0", instructionOffset=-1, instructionCount=3)["instructions"]
    assert [row["address"] for row in rows] == ["-3", "0", "3"] and rows[1]["instruction"] == "sbn __minus1, n"
    [target] = editor.ask("gotoTargets", source={"path": editor.path}, line=12)["targets"]
    assert editor.stopped("goto", targetId=target["id"]) == ("goto", 12)


def test_a_low_margin_is_an_exception_stop(editor: Editor) -> None:
    editor.begin(unit="ntk-limit")
    editor.ask("setExceptionBreakpoints", filters=[], filterOptions=[{"filterId": "margin", "condition": "99"}])
    assert editor.stopped("configurationDone")[0] == "exception"
    assert "margin" in editor.ask("exceptionInfo", threadId=1)["description"]


def test_a_run_without_end_is_paused_and_goes_on_after_other_requests(tmp_path: Path) -> None:
    editor = Editor(ENDLESS, tmp_path / "endless.sbn").begin()
    editor.ask("configurationDone")
    assert int(editor.ask("evaluate", expression="$step")["result"]) >= 0
    before = int(editor.ask("evaluate", expression="$step")["result"])
    while int(editor.ask("evaluate", expression="$step")["result"]) == before:
        pass
    assert editor.stopped("pause")[0] == "pause"
    assert editor.ask("evaluate", expression="$step") == editor.ask("evaluate", expression="$step")
    editor.ask("restart")
    editor.leave()


def test_a_command_of_the_console_that_runs_without_end_is_paused_and_left(tmp_path: Path) -> None:
    editor = Editor(ENDLESS, tmp_path / "endless.sbn").begin(stopOnEntry=True)
    editor.stopped("configurationDone")
    running = editor.send("evaluate", {"expression": "continue", "context": "repl"})
    editor.ask("pause")
    assert "interrupted" in editor.wait(lambda message: message.get("request_seq") == running)["body"]["result"]
    editor.send("evaluate", {"expression": "continue", "context": "repl"})
    editor.leave()


@pytest.mark.parametrize(
    "command, arguments",
    [
        ("launch", {}),
        ("stackTrace", {"startFrame": "x"}),
        ("nonsense", {}),
        ("launch", []),
        ("variables", {"variablesReference": "x"}),
        ("evaluate", {"expression": "[1.5]"}),
        ("evaluate", {"expression": 3}),
        ("setVariable", {"variablesReference": 2, "name": "nope", "value": "1"}),
        ("readMemory", {"memoryReference": "here", "count": 1}),
        ("writeMemory", {"memoryReference": "0", "data": "!"}),
        ("setBreakpoints", {"source": {}, "breakpoints": [{"line": 1}]}),
        ("setBreakpoints", {"source": 7}),
        ("goto", {"targetId": "x"}),
        ("source", {"sourceReference": 77}),
    ],
)
@pytest.mark.parametrize("is_launched", [False, True])
def test_what_cannot_be_answered_is_refused_with_a_reason(
    editor: Editor, command: str, arguments: Any, is_launched: bool
) -> None:
    if is_launched:
        editor.begin(stopOnEntry=True)
    sent = editor.send(command, arguments)
    answered = editor.wait(lambda message: message.get("request_seq") == sent)
    assert not answered["success"] and answered["message"]
    editor.ask("initialize")


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Content-Length: 2\r\n\r\n[]",
        b"Content-Length: nine\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"nothing at all\r\n\r\nContent-Length: 4\r\n\r\nnull",
        b"Content-Length: 14\r\n\r\n" + b'{"type": "me"}',
    ],
)
def test_a_damaged_message_is_told_and_the_next_one_answered(editor: Editor, data: bytes) -> None:
    editor.send_bytes(data)
    assert editor.event("output")["category"] == "important"
    assert editor.ask("initialize")["supportsStepBack"]


def test_a_message_too_long_is_refused_and_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vm.editors.messages.MAX_BYTES", 10)
    stream = Messages(io.BytesIO(b"Content-Length: 11\r\n\r\n0123456789AContent-Length: 2\r\n\r\n{}"), io.BytesIO())
    with pytest.raises(Malformed, match="11 bytes"):
        stream.read()
    assert stream.read() == {} and stream.read() is None


def test_the_command_speaks_on_its_own_streams(tmp_path: Path) -> None:
    path = tmp_path / "calls.sbn"
    path.write_text(SOURCE)
    requests = [("initialize", {}), ("launch", {"program": str(path), "unit": "nonsense"})]
    requests += [("launch", {"program": str(path), "unit": "native"}), ("disconnect", {})]
    data = b""
    for number, (command, arguments) in enumerate(requests, 1):
        text = json.dumps({"seq": number, "type": "request", "command": command, "arguments": arguments}).encode()
        data += b"Content-Length: %d\r\n\r\n%s" % (len(text), text)
    command = [sys.executable, "-c", "import sys; from vm.cli import main; sys.exit(main(['dap']))"]
    done = subprocess.run(command, input=data, capture_output=True, timeout=120)
    answers = Messages(io.BytesIO(done.stdout), io.BytesIO())
    seen = [message for message in iter(answers.read, None) if message["type"] == "response"]
    assert [message["success"] for message in seen] == [True, False, True, True] and done.returncode == 0
    assert "unknown unit 'nonsense'" in seen[1]["message"]
