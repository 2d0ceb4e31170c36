"""The language server: what it says of a source as it is typed, in the protocol of editors."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import programs
from assembler import assemble
from vm.command import dap
from vm.editors.language import Document
from vm.editors.messages import Messages
from vm.editors.server import Server

URI = "file:///project/main.sbn"
SOURCE = """\
; doubles x
.macro  twice x
        add     x, x            ; twice
again:  jneg    x, again
.endm
start:  twice   n
        while n gt zero
        dec     n
        end
        halt
        .equ    BIG, 300
n:      .word   BIG - 290
zero:   .word   0               ; "é𝄞"
"""


class Editor:
    """A client that sends everything at once and reads all answers."""

    def __init__(self, source: str = SOURCE) -> None:
        self._data = b""
        self._sent = 0
        self.send("initialize", {})
        self.send("initialized", {}, is_request=False)
        self.send("textDocument/didOpen", {"textDocument": {"uri": URI, "text": source}}, is_request=False)

    def send(self, method: Any, given: Any, is_request: bool = True) -> None:
        self._sent += 1
        message = {"jsonrpc": "2.0", "method": method, "params": given} | ({"id": self._sent} if is_request else {})
        data = json.dumps(message).encode()
        self._data += b"Content-Length: %d\r\n\r\n%s" % (len(data), data)

    def answers(self) -> list[dict[str, Any]]:
        written = io.BytesIO()
        Server(Messages(io.BytesIO(self._data), written)).serve()
        stream = Messages(io.BytesIO(written.getvalue()), io.BytesIO())
        return list(iter(stream.read, None))


def ask(method: str, source: str = SOURCE, **more: Any) -> Any:
    """The result of one request about a source; an error as its message."""
    editor = Editor(source)
    editor.send(f"textDocument/{method}", {"textDocument": {"uri": URI}, **more})
    last = editor.answers()[-1]
    return last["result"] if "result" in last else last["error"]["message"]


def at(line: int, column: int) -> dict[str, int]:
    return {"line": line, "character": column}


def diagnostics(source: str) -> list[dict[str, Any]]:
    return [each for each in Editor(source).answers() if each.get("method")][0]["params"]["diagnostics"]


def test_every_error_is_shown_at_its_place_with_its_help() -> None:
    wrong = SOURCE.replace("dec     n", "dex     n").replace("twice   n", "twice   m")
    first, second = diagnostics(wrong)
    assert first["range"] == {"start": at(5, 16), "end": at(5, 17)} and "undefined label `m`" in first["message"]
    assert second["range"] == {"start": at(7, 8), "end": at(7, 11)} and second["severity"] == 1
    assert "did you mean `dec`?" in second["message"]
    assert diagnostics(SOURCE) == []
    assert diagnostics("nop\nadd 5, n\nhalt\nn: .word 1\n")[0]["severity"] == 2, "a note is a warning"


def test_a_misspelt_name_has_a_quick_fix() -> None:
    wrong = SOURCE.replace("dec     n", "dex     n")
    [action] = ask("codeAction", wrong, range={"start": at(7, 0), "end": at(7, 0)}, context={"diagnostics": []})
    assert action["title"] == "Change to `dec`" and action["kind"] == "quickfix"
    [edit] = action["edit"]["changes"][URI]
    assert (edit["range"]["start"], edit["newText"]) == (at(7, 8), "dec")


@pytest.mark.parametrize(
    "place, said",
    [
        (at(2, 8), "a += b"),
        (at(5, 9), "doubles x"),
        (at(5, 16), "`n`: address "),
        (at(11, 0), "holds 10, line 12"),
        (at(11, 17), "`BIG` = 300, line 11"),
        (at(2, 16), "name of the macro `twice`"),
    ],
)
def test_hovering_tells_what_a_word_is(place: dict[str, int], said: str) -> None:
    if said == "a += b":
        said = "add a, b"
    assert said in ask("hover", position=place)["contents"]["value"]


def test_a_definition_is_found_here_in_an_included_file_and_in_the_library(tmp_path: Path) -> None:
    assert ask("definition", position=at(7, 16))["range"]["start"] == at(11, 0)
    assert ask("definition", position=at(3, 19))["range"]["start"] == at(3, 0)
    library = ask("definition", position=at(7, 8))
    assert library["uri"].endswith("lib/std.sbn")
    (tmp_path / "other.sbn").write_text("there: .word 5\n")
    document = Document(str(tmp_path / "main.sbn"), '.include "other.sbn"\n inc there\n halt\n')
    word = document.words.at(1, 6)
    assert word is not None and document.problems == []
    found = document.definition(word)
    assert found is not None and found[0] == str(tmp_path / "other.sbn")
    assert (found[2].line, found[2].start, found[2].end) == (0, 0, 5)


def test_references_and_renaming_keep_to_the_scope_of_a_name() -> None:
    found = ask("references", position=at(11, 0), context={"includeDeclaration": True})
    assert [each["range"]["start"]["line"] for each in found] == [5, 6, 7, 11]
    local = ask("rename", position=at(3, 0), newName="once_more")["changes"][URI]
    assert [edit["range"]["start"] for edit in local] == [at(3, 0), at(3, 19)]
    assert "in use already" in ask("rename", position=at(11, 0), newName="zero")
    assert "not a name" in ask("rename", position=at(11, 0), newName="1x")
    assert "not defined in this file" in ask("prepareRename", position=at(7, 8))


def test_no_name_is_changed_to_one_that_means_something_else_there() -> None:
    source = (
        ".macro  up x\n        add     n, x\n.endm\n        up      m\n        halt\nn:  .word   1\nm:  .word   2\n"
    )
    n, macro = at(5, 0), at(0, 8)
    assert "in line 2, `x` would be the macro `up`'s own name" == ask("rename", source, position=n, newName="x")
    assert "names that begin with `__` are the assembler's" in ask("rename", source, position=n, newName="__n")
    assert ask("rename", source, position=macro, newName="Add") == "`Add` is in use already"
    assert len(ask("rename", source, position=macro, newName="n")["changes"][URI]) == 2, (
        "macros have names of their own"
    )


def test_a_macro_is_found_and_renamed_in_any_case() -> None:
    source = SOURCE.replace("twice   n", "TWICE   n")
    assert ask("definition", source, position=at(5, 9))["range"]["start"] == at(1, 8)
    edits = ask("rename", source, position=at(1, 8), newName="dup")["changes"][URI]
    assert [edit["range"]["start"] for edit in edits] == [at(1, 8), at(5, 8)]


def test_a_renamed_program_is_the_same_program() -> None:
    for name in ("calculator", "primes", "sieve"):
        text = programs.source(name)
        document = Document("main.sbn", text)
        for word in document.words.definitions():
            if word.text in ("STACK", "CHECKED"):
                with pytest.raises(ValueError, match="a setting of the library"):
                    document.renamed(word, "renamed_here")
                continue
            lines = text.split("\n")
            for each in sorted(document.renamed(word, "renamed_here"), key=lambda each: (each.line, -each.start)):
                lines[each.line] = f"{lines[each.line][: each.start]}renamed_here{lines[each.line][each.end :]}"
            assert assemble("\n".join(lines), "main.sbn") == document.image, word


@pytest.mark.parametrize("name", programs.names())
def test_formatting_changes_blanks_alone_and_is_done_once(name: str) -> None:
    text = programs.source(name)
    document = Document("main.sbn", text)
    formatted = document.formatted()
    assert formatted.split() == text.split() or "".join(formatted.split()) == "".join(text.split())
    if document.image is not None:
        assert assemble(formatted, "main.sbn") == document.image
    assert Document("main.sbn", formatted).formatted() == formatted


def test_what_may_come_next_and_which_operand_is_typed() -> None:
    offered = {each["label"]: each for each in ask("completion", position=at(9, 8))}
    assert {"mul", "twice", ".word", "sbn"} <= offered.keys() and "n" not in offered
    offered = {each["label"] for each in ask("completion", position=at(7, 16))}
    assert {"n", "zero", "start", "BIG"} <= offered and "mul" not in offered and "again" not in offered
    typed = SOURCE.replace("        halt\n", "        jlt n, zero, \n")
    found = ask("signatureHelp", typed, position=at(9, 21))
    assert found["activeParameter"] == 2 and found["signatures"][0]["label"].startswith("jlt a, b, L")


def test_symbols_folds_and_tokens_cover_the_source() -> None:
    assert [each["name"] for each in ask("documentSymbol")] == ["twice", "start", "BIG", "n", "zero"]
    folds = {(each["startLine"], each["endLine"]) for each in ask("foldingRange")}
    assert folds == {(1, 4), (6, 8)}
    data = ask("semanticTokens/full")["data"]
    assert len(data) % 5 == 0 and all(number >= 0 for number in data)
    columns = [data[k : k + 5] for k in range(0, len(data), 5)]
    assert sum(each[0] for each in columns) == 12 and columns[-1][2] == len('; "é𝄞"') + 1, "a clef is two units"


def test_after_a_change_the_new_text_counts() -> None:
    editor = Editor("halt\n")
    changed = {"textDocument": {"uri": URI}, "contentChanges": [{"text": "hult\n"}]}
    editor.send("textDocument/didChange", changed, is_request=False)
    published = [each["params"]["diagnostics"] for each in editor.answers() if each.get("method")]
    assert published[0] == [] and "did you mean `halt`?" in published[1][0]["message"]


@pytest.mark.parametrize(
    "method, given, code",
    [
        ("textDocument/hover", {"textDocument": {"uri": "file:///x"}, "position": at(0, 0)}, -32602),
        ("textDocument/hover", {}, -32602),
        ("textDocument/hover", [], -32602),
        ("textDocument/hover", {"textDocument": {"uri": URI}, "position": at(-1, 0)}, -32602),
        ("textDocument/hover", {"textDocument": {"uri": URI}, "position": at(0, "x")}, -32602),  # pyright: ignore
        ("textDocument/rename", {"textDocument": {"uri": URI}, "position": at(999, 0), "newName": "x"}, -32803),
        ("nonsense", {}, -32601),
        (None, {}, -32600),
    ],
)
def test_what_cannot_be_answered_is_an_error_and_the_next_request_is_answered(
    method: Any, given: Any, code: int
) -> None:
    editor = Editor()
    editor.send(method, given)
    editor.send("textDocument/foldingRange", {"textDocument": {"uri": URI}})
    *_, refused, answered = editor.answers()
    assert refused["error"]["code"] == code and answered["result"]


@settings(deadline=None, max_examples=60)
@given(
    text=st.text(alphabet="ab:;#\"'/.,=[ \n\t1𝄞é\r", max_size=60).map(
        lambda text: f".macro\n{text}\n.endm {text}\n while {text}"
    ),
    line=st.integers(0, 8),
    column=st.integers(0, 20),
)
def test_whatever_is_typed_every_request_is_answered(text: str, line: int, column: int) -> None:
    editor = Editor(text)
    place = {"textDocument": {"uri": URI}, "position": at(line, column)}
    place |= {"newName": "x", "range": {"start": at(0, 0), "end": at(line, column)}}
    for method in ("hover", "definition", "references", "completion", "signatureHelp", "documentSymbol", "foldingRange",
                   "formatting", "codeAction", "semanticTokens/full", "documentHighlight"):  # fmt: skip
        editor.send(f"textDocument/{method}", place)
    answered = [each for each in editor.answers() if "id" in each]
    assert len(answered) == 12 and all("result" in each for each in answered)


def test_the_command_leaves_with_0_only_after_it_was_told_to() -> None:
    command = [sys.executable, "-c", "import sys; from vm.cli import main; sys.exit(main(['lsp']))"]
    for methods, code in ((("initialize", "shutdown", "exit"), 0), (("initialize", "exit"), 1)):
        data = b""
        for number, method in enumerate(methods):
            text = json.dumps({"jsonrpc": "2.0", "id": number, "method": method}).encode()
            data += b"Content-Length: %d\r\n\r\n%s" % (len(text), text)
        assert subprocess.run(command, input=data, capture_output=True, timeout=60).returncode == code


def test_the_extension_colours_what_the_server_knows_and_offers_what_launch_takes() -> None:
    folder = Path(__file__).parent.parent / "docs" / "editors" / "vscode"
    package = json.loads((folder / "package.json").read_text())
    grammar = json.loads((folder / "syntaxes" / "sbn.tmLanguage.json").read_text())
    [debugger] = package["contributes"]["debuggers"]
    assert [debugger["runtime"], *debugger["runtimeArgs"]] == ["sbn", "dap"]
    offered = set(debugger["configurationAttributes"]["launch"]["properties"])
    assert offered <= {*dap.OPTIONS, "program", "cwd", "check", "stopOnEntry", "stayAtEnd"}
    patterns = [re.compile(each["match"]) for each in grammar["patterns"]]
    for line, text in ((".macro add a, b ; x", ".macro add"), ("x: .word 0x1F", "x"), ("while a lt b", "while")):
        assert any(found[0] == text for each in patterns if (found := each.search(line))), line
