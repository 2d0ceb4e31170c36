"""The language server takes the text of an included file from the editor where it is open there, saved or not."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from assembler import AssemblyError, assemble
from vm.editors.messages import Messages
from vm.editors.server import Server

MAIN = '        .include "parts.sbn"\n        twice   n\n        halt\nn:      .word   SIZE\n'
PARTS = "; doubles x\n.macro  twice x\n        add     x, x\n.endm\n        .equ    SIZE, 3\n"
PART_ALONE = ("parts.sbn", [])  # nothing is wrong with a part that holds only macros and constants


class Editor:
    """A client that keeps the messages of the server as they come."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written = io.BytesIO()
        self.server = Server(Messages(io.BytesIO(), self.written))
        self.tell("initialize", {})

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def tell(self, method: str, given: Any) -> list[Any]:
        """What the server sends after a message: results, and the diagnostics it publishes, as (file, messages)."""
        began = self.written.tell()
        message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": given}).encode()
        data = b"Content-Length: %d\r\n\r\n%s" % (len(message), message)
        self.server._messages = Messages(io.BytesIO(data), self.written)
        self.server.serve()
        answers = Messages(io.BytesIO(self.written.getvalue()[began:]), io.BytesIO())
        return [
            (Path(each["params"]["uri"]).name, [found["message"] for found in each["params"]["diagnostics"]])
            if "method" in each
            else each["result"]
            for each in iter(answers.read, None)
        ]

    def open(self, name: str, text: str) -> list[Any]:
        return self.tell("textDocument/didOpen", {"textDocument": {"uri": self.uri(name), "text": text}})[:-1]

    def change(self, name: str, text: str) -> list[Any]:
        given = {"textDocument": {"uri": self.uri(name)}, "contentChanges": [{"text": text}]}
        return self.tell("textDocument/didChange", given)[:-1]

    def close(self, name: str) -> list[Any]:
        return self.tell("textDocument/didClose", {"textDocument": {"uri": self.uri(name)}})[:-1]

    def ask(self, method: str, name: str, line: int, column: int) -> Any:
        given = {"textDocument": {"uri": self.uri(name)}, "position": {"line": line, "character": column}}
        return self.tell(f"textDocument/{method}", given)[-1]


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    (tmp_path / "parts.sbn").write_text(PARTS)
    return Editor(tmp_path)


def test_an_unsaved_change_of_an_included_file_is_seen_at_once_where_it_is_included(editor: Editor) -> None:
    assert editor.open("main.sbn", MAIN) == [("main.sbn", [])]
    assert editor.open("parts.sbn", PARTS) == [PART_ALONE, ("main.sbn", [])]
    _, (name, problems) = editor.change("parts.sbn", PARTS.replace("SIZE", "LENGTH"))
    assert name == "main.sbn" and "undefined label `SIZE`" in problems[0]
    assert editor.close("parts.sbn") == [("parts.sbn", []), ("main.sbn", [])], "the disk counts again"
    assert (editor.folder / "parts.sbn").read_text() == PARTS


def test_a_file_that_was_never_saved_can_be_included(editor: Editor) -> None:
    (editor.folder / "parts.sbn").unlink()
    [(_, problems)] = editor.open("main.sbn", MAIN)
    assert "there is no file" in problems[0]
    assert editor.open("parts.sbn", PARTS) == [PART_ALONE, ("main.sbn", [])]


def test_a_change_is_seen_through_a_file_in_between_and_nowhere_else(editor: Editor) -> None:
    (editor.folder / "between.sbn").write_text('        .include "parts.sbn"\n')
    editor.open("main.sbn", MAIN.replace("parts", "between"))
    editor.open("alone.sbn", "        halt\n")
    changed = editor.open("parts.sbn", PARTS.replace("SIZE", "LENGTH"))
    assert [name for name, _ in changed] == ["parts.sbn", "main.sbn"] and "undefined label `SIZE`" in changed[1][1][0]


def test_what_an_included_file_defines_is_completed_explained_and_found(editor: Editor) -> None:
    editor.open("main.sbn", MAIN)
    editor.open("parts.sbn", "; 3 words\n" + PARTS.replace("doubles", "twice as much of"))
    assert "twice as much of x" in editor.ask("hover", "main.sbn", 1, 9)["contents"]["value"]
    assert editor.ask("hover", "main.sbn", 3, 17)["contents"]["value"] == "`SIZE` = 3, parts.sbn, line 6"
    found = editor.ask("definition", "main.sbn", 1, 9)
    assert found["uri"] == editor.uri("parts.sbn") and found["range"]["start"] == {"line": 2, "character": 8}
    assert "SIZE" in {each["label"] for each in editor.ask("completion", "main.sbn", 3, 17)}
    assert "twice" in {each["label"] for each in editor.ask("completion", "main.sbn", 1, 8)}
    shown = editor.ask("signatureHelp", "main.sbn", 1, 16)["signatures"][0]
    assert shown == {"label": "twice x", "parameters": [{"label": "x"}]}


@pytest.mark.parametrize("included", ["main.sbn", "../x\ud800.sbn", "a\0b", ".", "parts.sbn"])
def test_whatever_is_included_every_message_is_answered(editor: Editor, included: str) -> None:
    (editor.folder / "parts.sbn").write_text('        .include "main.sbn"\n        .include "parts.sbn"\n')
    assert len(editor.open("main.sbn", MAIN.replace("parts.sbn", included))) == 1
    assert editor.ask("completion", "main.sbn", 3, 17)


def test_a_text_counts_in_place_of_the_file_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "one.sbn").write_text("x: .word 1\n")
    texts = {str((tmp_path / "one.sbn").resolve()): "x: .word 2\n", str((tmp_path / "two.sbn").resolve()): ".word x\n"}
    text = '.include "one.sbn"\n.include "two.sbn"\n'
    assert assemble(text, "main.sbn", tmp_path, texts=texts).words == (2, 0)
    with pytest.raises(AssemblyError, match="there is no file"):
        assemble(text, "main.sbn", tmp_path)
