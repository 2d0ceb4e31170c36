"""Whatever an editor sends to the debug adapter is answered once, and where it is refused, the reason is given."""

import io
import json
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from marks import slow

from assembler import assemble
from learned_units import load_unit
from vm.debugger.session import Session
from vm.editors.adapter import Adapter
from vm.editors.messages import Messages
from vm.editors.requests import Debugged

SOURCE = (Path(__file__).parent / "golden" / "debugger" / "calls.sbn").read_text()
PROGRAM = str(Path("folder") / "calls.sbn")
IMAGE = assemble(SOURCE, PROGRAM)

REQUESTS: dict[str, list[str]] = {
    "initialize": ["linesStartAt1", "columnsStartAt1", "pathFormat"],
    "launch": ["program", "stopOnEntry", "stayAtEnd", "unit"],
    "configurationDone": [],
    "threads": [],
    "stackTrace": ["threadId", "startFrame", "levels"],
    "scopes": ["frameId"],
    "variables": ["variablesReference", "start", "count"],
    "setVariable": ["variablesReference", "name", "value"],
    "evaluate": ["expression", "frameId", "context"],
    "completions": ["text", "column", "line"],
    "setBreakpoints": ["source", "breakpoints", "lines"],
    "setFunctionBreakpoints": ["breakpoints"],
    "setInstructionBreakpoints": ["breakpoints"],
    "setDataBreakpoints": ["breakpoints"],
    "dataBreakpointInfo": ["name", "variablesReference"],
    "setExceptionBreakpoints": ["filters", "filterOptions"],
    "exceptionInfo": ["threadId"],
    "source": ["source", "sourceReference"],
    "loadedSources": [],
    "gotoTargets": ["source", "line"],
    "goto": ["threadId", "targetId"],
    "stepInTargets": ["frameId"],
    "readMemory": ["memoryReference", "offset", "count"],
    "writeMemory": ["memoryReference", "offset", "data"],
    "disassemble": ["memoryReference", "offset", "instructionOffset", "instructionCount"],
    "continue": ["threadId"],
    "reverseContinue": ["threadId"],
    "next": ["threadId", "granularity"],
    "stepIn": ["threadId", "granularity", "targetId"],
    "stepOut": ["threadId"],
    "stepBack": ["threadId", "granularity"],
    "pause": ["threadId"],
    "restart": ["arguments"],
}
NUMBERS = [0, 1, 2, 3, 7, -1, -2, -3, 17, 65534, 65535, 65536, 1 << 31, -(1 << 31), 1 << 64, -(1 << 70), 1e308, 0.5]
TEXTS = ["", "n", "f", "[n]", "[n] == 3", "fact", "$pc", "-1", "0x5", "1/0", "[", "{0}", "\ud800", "\0", "Ж" * 9]
TEXTS += ["9" * 5000, "1 << 1 << 1 << 99", "instruction", "repl", "readWrite", "divergence", "margin", PROGRAM, "AAAA"]
SCALARS = st.sampled_from([None, True, False, float("inf"), float("nan"), *NUMBERS, *TEXTS])
FIELDS = ["line", "condition", "hitCondition", "name", "dataId", "accessType", "instructionReference", "offset", "path"]
FIELDS += ["sourceReference", "filterId", "logMessage"]
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=8,
)


def arguments_of(command: str) -> st.SearchStrategy[tuple[str, Any]]:
    fields = {name: VALUES for name in REQUESTS[command]}
    return st.tuples(st.just(command), st.fixed_dictionaries({}, optional=fields) | VALUES)


def answers_to(requests: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    """What an adapter sends to an editor that says all this and leaves."""
    data = b""
    for number, (command, arguments) in enumerate([*requests, ("disconnect", {})], 1):
        message = {"seq": number, "type": "request", "command": command, "arguments": arguments}
        text = json.dumps(message).encode()
        data += b"Content-Length: %d\r\n\r\n%s" % (len(text), text)
    told = io.BytesIO()

    def opened(launched: dict[str, Any]) -> Session:
        return Session(IMAGE, load_unit("native", IMAGE.word_bits, IMAGE.isa), read_source=lambda file: None)

    Adapter(Messages(io.BytesIO(data), told), opened).serve()
    answers = Messages(io.BytesIO(told.getvalue()), io.BytesIO())
    return list(iter(answers.read, None))


@pytest.mark.parametrize("examples", [100, *slow(3_000)])
def test_a_request_with_anything_at_all_in_it_is_answered_once_and_never_by_an_accident(examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
    @given(st.lists(st.sampled_from(sorted(REQUESTS)).flatmap(arguments_of), min_size=1, max_size=12))
    def check(requests: list[tuple[str, Any]]) -> None:
        said = answers_to([("initialize", {}), ("launch", {"stopOnEntry": True}), *requests])
        answers = [each for each in said if each["type"] == "response"]
        assert [each["request_seq"] for each in answers] == list(range(1, len(requests) + 4))
        for each in answers:
            assert each["success"] or each["message"].strip()
            assert "should not happen" not in each.get("message", ""), each

    check()


def refused(command: str, arguments: dict[str, Any]) -> str:
    """Why a request is refused."""
    answers = [each for each in answers_to([("launch", {}), (command, arguments)]) if each["type"] == "response"]
    assert not answers[1]["success"]
    return answers[1]["message"]


@pytest.mark.parametrize(
    "command, arguments, reason",
    [
        ("goto", {"targetId": -1}, "`targetId` is -1"),
        ("goto", {"targetId": 65_535}, "address 65535 is the console"),
        ("goto", {"targetId": 1 << 64}, "is outside the memory"),
        ("gotoTargets", {"source": {"path": PROGRAM}, "line": -3}, "`line` is -3"),
        ("setBreakpoints", {"source": {"path": PROGRAM}, "breakpoints": 5}, "`breakpoints` is a list"),
        ("setBreakpoints", {"source": {"path": PROGRAM}, "breakpoints": [5]}, "`breakpoints` is an object"),
        ("setExceptionBreakpoints", {"filters": [{}]}, "`filters` is a text"),
        ("readMemory", {"memoryReference": "0", "count": -1}, "`count` is -1"),
        ("writeMemory", {"memoryReference": "0", "data": "Ж"}, "not in base 64"),
        ("writeMemory", {"memoryReference": "-1", "data": "AAAA"}, "address -1 is the console"),
        ("disassemble", {"memoryReference": "0", "instructionOffset": "x"}, "`instructionOffset` is an integer"),
        ("source", {"source": {"path": "\ud800"}}, "no file can have the path"),
        ("initialize", {"linesStartAt1": False}, "counted from 1"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(command: str, arguments: dict[str, Any], reason: str) -> None:
    assert reason in refused(command, arguments)


def test_a_stop_that_is_refused_leaves_none_and_one_that_is_made_ignores_what_the_console_collects() -> None:
    session = Session(IMAGE, load_unit("native", IMAGE.word_bits, IMAGE.isa))
    debugged = Debugged(session, {})
    source = {"path": PROGRAM}
    for wanted in ({"line": -1}, {"line": 7, "hitCondition": "many"}, {"line": 7, "condition": 5}):
        [made] = debugged.answer("setBreakpoints", {"source": source, "breakpoints": [wanted]})[0]["breakpoints"]
        assert not made["verified"] and made["message"]
        assert [point.kind for point in session.points] == ["divergence"]
    debugged.answer("evaluate", {"expression": "break fact", "context": "repl"})
    debugged.answer("evaluate", {"expression": "commands", "context": "repl"})
    debugged.answer("setBreakpoints", {"source": source, "breakpoints": [{"line": 7}]})
    debugged.answer("setVariable", {"variablesReference": 2, "name": "n", "value": "17"})
    debugged.answer("evaluate", {"expression": "end", "context": "repl"})
    assert [point.text for point in session.points] == ["divergence", "fact", f"{PROGRAM}:7"]
    assert session.point("2").commands == () and session.evaluate("[n]") == 17


def test_a_stop_is_made_in_a_file_whose_path_has_a_space_and_a_colon() -> None:
    name = str(Path("my programs") / "c: calls.sbn")
    image = assemble(SOURCE, name)
    debugged = Debugged(Session(image, load_unit("native", image.word_bits, image.isa)), {})
    wanted = {"source": {"path": name}, "breakpoints": [{"line": 17, "condition": "[n] == 3"}]}
    [made] = debugged.answer("setBreakpoints", wanted)[0]["breakpoints"]
    assert made["verified"] and made["line"] == 17
