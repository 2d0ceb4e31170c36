"""The language server: an editor's requests about the sources that are open in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import pathname2url

from vm.editors import words as kinds
from vm.editors.language import Document, Problem, real_path
from vm.editors.messages import Malformed, Messages
from vm.editors.words import Word, Words

PARSE_ERROR, INVALID_REQUEST, UNKNOWN_METHOD, INVALID_PARAMS, INTERNAL_ERROR, NOT_INITIALIZED, FAILED = (
    -32700, -32600, -32601, -32602, -32603, -32002, -32803,
)  # fmt: skip
TOKENS = {
    kinds.COMMENT: "comment",
    kinds.STRING: "string",
    kinds.NUMBER: "number",
    kinds.DIRECTIVE: "keyword",
    kinds.RELATION: "operator",
    kinds.OPERATION: "function",
    kinds.MACRO: "macro",
    kinds.PARAMETER: "parameter",
    kinds.LABEL: "variable",
    kinds.CONSTANT: "enumMember",
    kinds.NAME: "property",
}
SYMBOLS = {kinds.LABEL: 13, kinds.CONSTANT: 14, kinds.MACRO: 12, kinds.PARAMETER: 13}
COMPLETED = {kinds.LABEL: 6, kinds.CONSTANT: 21, kinds.MACRO: 3, kinds.DIRECTIVE: 14, kinds.OPERATION: 3}
CAPABILITIES = {
    "positionEncoding": "utf-16",
    "textDocumentSync": {"openClose": True, "change": 1, "save": False},
    "hoverProvider": True,
    "definitionProvider": True,
    "referencesProvider": True,
    "documentHighlightProvider": True,
    "renameProvider": {"prepareProvider": True},
    "completionProvider": {"triggerCharacters": ["."]},
    "signatureHelpProvider": {"triggerCharacters": [" ", ","]},
    "documentSymbolProvider": True,
    "foldingRangeProvider": True,
    "documentFormattingProvider": True,
    "codeActionProvider": {"codeActionKinds": ["quickfix"]},
    "semanticTokensProvider": {
        "legend": {"tokenTypes": list(TOKENS.values()), "tokenModifiers": []},
        "full": True,
    },
}
Params = dict[str, Any]


class Refused(Exception):
    """A request that is answered by an error."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Server:
    """One editor's sources, by their URIs."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._documents: dict[str, Document] = {}
        self._initialized = False
        self._shut_down = False
        self._requests: dict[str, Callable[[Params], Any]] = {
            "textDocument/hover": self._hover,
            "textDocument/definition": self._definition,
            "textDocument/references": lambda given: self._all(given, self._location),
            "textDocument/documentHighlight": lambda given: self._all(given, lambda uri, found: {"range": found}),
            "textDocument/prepareRename": self._prepare_rename,
            "textDocument/rename": self._rename,
            "textDocument/completion": self._completion,
            "textDocument/signatureHelp": self._signature,
            "textDocument/documentSymbol": self._symbols,
            "textDocument/foldingRange": self._folding,
            "textDocument/formatting": self._formatting,
            "textDocument/codeAction": self._code_actions,
            "textDocument/semanticTokens/full": self._tokens,
        }

    def serve(self) -> int:
        """Answer until the editor leaves. Exit code 0 if it said that it would."""
        while True:
            try:
                message = self._messages.read()
            except Malformed as error:
                self._send({"id": None, "error": {"code": PARSE_ERROR, "message": str(error)}})
                continue
            if message is None or message.get("method") == "exit":
                return 0 if self._shut_down else 1
            self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        method, number = message.get("method"), message.get("id")
        if not isinstance(method, str):
            if "result" not in message and "error" not in message:
                self._send({"id": number, "error": {"code": INVALID_REQUEST, "message": "a message has no method"}})
            return
        try:
            given = message.get("params") or {}
            if not isinstance(given, dict):
                raise Refused(INVALID_PARAMS, "the parameters are no object")
            result = self._result(method, given)
        except Refused as error:
            answer = {"error": {"code": error.code, "message": str(error)}}
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            answer = {"error": {"code": INVALID_PARAMS, "message": f"the parameters lack {error}"}}
        except Exception as error:
            said = " ".join(str(error).split())
            answer = {"error": {"code": INTERNAL_ERROR, "message": f"{type(error).__name__}: {said}"}}
        else:
            answer = {"result": result}
        if "id" in message:
            self._send({"id": number, **answer})

    def _result(self, method: str, given: Params) -> Any:
        if method == "initialize":
            self._initialized = True
            return {"capabilities": CAPABILITIES, "serverInfo": {"name": "sbn"}}
        if not self._initialized:
            raise Refused(NOT_INITIALIZED, "`initialize` comes first")
        if method == "shutdown":
            self._shut_down = True
            return None
        if method == "textDocument/didOpen":
            return self._open(given["textDocument"]["uri"], given["textDocument"]["text"])
        if method == "textDocument/didChange":
            return self._open(given["textDocument"]["uri"], given["contentChanges"][-1]["text"])
        if method == "textDocument/didClose":
            return self._close(given["textDocument"]["uri"])
        if method in self._requests:
            return self._requests[method](given)
        if method.startswith(("$/", "textDocument/did", "workspace/did")) or method == "initialized":
            return None
        raise Refused(UNKNOWN_METHOD, f"`{method}` is not known here")

    # --- sources ------------------------------------------------------------------------------------------------------

    def _open(self, uri: str, text: str) -> None:
        if not isinstance(text, str):
            raise Refused(INVALID_PARAMS, "the text of a source is a text")
        self._documents[uri] = Document(_path(uri), text, self._texts() | {real_path(_path(uri)): text})
        self._publish_problems(uri)
        self._look_again(uri)

    def _close(self, uri: str) -> None:
        self._documents.pop(uri, None)
        self._publish(uri, [])
        self._look_again(uri)

    def _look_again(self, changed: str) -> None:
        """Check the other open sources again that include one which has changed."""
        path = real_path(_path(changed))
        for uri, document in list(self._documents.items()):
            if uri != changed and path in map(real_path, document.included):
                self._documents[uri] = Document(document.path, document.text, self._texts())
                self._publish_problems(uri)

    def _texts(self) -> dict[str, str]:
        """The texts of the open sources, by their real paths."""
        return {real_path(document.path): document.text for document in self._documents.values()}

    def _publish_problems(self, uri: str) -> None:
        document = self._documents[uri]
        self._publish(uri, [self._diagnostic(document, each) for each in document.problems])

    def _publish(self, uri: str, found: list[dict[str, Any]]) -> None:
        self._send({"method": "textDocument/publishDiagnostics", "params": {"uri": uri, "diagnostics": found}})

    def _diagnostic(self, document: Document, problem: Problem) -> dict[str, Any]:
        return {
            "range": _range(document.words, problem.line, problem.start, problem.end),
            "severity": 1 if problem.is_error else 2,
            "source": "sbn",
            "message": problem.message,
        }

    def _document(self, given: Params) -> Document:
        uri = given["textDocument"]["uri"]
        if uri not in self._documents:
            raise Refused(INVALID_PARAMS, f"{uri} is not open")
        return self._documents[uri]

    def _place(self, given: Params) -> tuple[Document, int, int]:
        document = self._document(given)
        line, column = given["position"]["line"], given["position"]["character"]
        if not isinstance(line, int) or not isinstance(column, int) or line < 0 or column < 0:
            raise Refused(INVALID_PARAMS, "a position is a line and a character, from 0")
        text = document.words.lines[line] if line < len(document.words.lines) else ""
        return document, line, len(text.encode("utf-16-le")[: 2 * column].decode("utf-16-le", "ignore"))

    def _word(self, given: Params) -> tuple[Document, Word | None]:
        document, line, column = self._place(given)
        return document, document.words.at(line, column)

    # --- answers ------------------------------------------------------------------------------------------------------

    def _hover(self, given: Params) -> Any:
        document, word = self._word(given)
        said = document.hover(word) if word is not None else None
        if word is None or said is None:
            return None
        return {"contents": {"kind": "markdown", "value": said}, "range": _range_of(document.words, word)}

    def _definition(self, given: Params) -> Any:
        document, word = self._word(given)
        found = document.definition(word) if word is not None else None
        if found is None:
            return None
        path, words, defined = found
        uri = given["textDocument"]["uri"] if path == document.path else "file://" + pathname2url(os.path.abspath(path))
        return self._location(uri, _range_of(words, defined))

    def _location(self, uri: str, found: dict[str, Any]) -> dict[str, Any]:
        return {"uri": uri, "range": found}

    def _all(self, given: Params, made: Callable[[str, dict[str, Any]], Any]) -> Any:
        document, word = self._word(given)
        if word is None or word.kind not in (*kinds.DEFINITIONS, kinds.NAME, kinds.OPERATION):
            return []
        uri = given["textDocument"]["uri"]
        return [made(uri, _range_of(document.words, each)) for each in document.words.references(word)]

    def _prepare_rename(self, given: Params) -> Any:
        document, word = self._word(given)
        if word is None or document.words.definition(word) is None:
            raise Refused(FAILED, "what stands here is not defined in this file")
        return {"range": _range_of(document.words, word), "placeholder": word.text}

    def _rename(self, given: Params) -> Any:
        document, word = self._word(given)
        if word is None:
            raise Refused(FAILED, "no name stands here")
        try:
            found = document.renamed(word, given["newName"])
        except ValueError as error:
            raise Refused(FAILED, str(error)) from None
        edits = [{"range": _range_of(document.words, each), "newText": given["newName"]} for each in found]
        return {"changes": {given["textDocument"]["uri"]: edits}}

    def _completion(self, given: Params) -> Any:
        document, line, column = self._place(given)
        return [
            {"label": label, "kind": COMPLETED.get(kind, 6), "detail": detail}
            for label, kind, detail in document.completions(line, column)
        ]

    def _signature(self, given: Params) -> Any:
        document, line, column = self._place(given)
        found = document.signature(line, column)
        if found is None:
            return None
        usage, parameters, at = found
        shown = {"label": usage, "parameters": [{"label": each} for each in parameters]}
        return {"signatures": [shown], "activeSignature": 0, "activeParameter": at}

    def _symbols(self, given: Params) -> Any:
        document = self._document(given)
        made = []
        for word in document.words.definitions():
            found = _range_of(document.words, word)
            made.append({"name": word.text, "kind": SYMBOLS[word.kind], "range": found, "selectionRange": found})
        return made

    def _folding(self, given: Params) -> Any:
        groups = self._document(given).words.groups()
        return [{"startLine": first, "endLine": last} for first, last in groups if last > first]

    def _formatting(self, given: Params) -> Any:
        document = self._document(given)
        made = document.formatted()
        if made == document.text:
            return []
        last = len(document.text.split("\n"))
        return [{"range": {"start": _position(0, 0), "end": _position(last, 0)}, "newText": made}]

    def _code_actions(self, given: Params) -> Any:
        document, uri = self._document(given), given["textDocument"]["uri"]
        lines = range(given["range"]["start"]["line"], given["range"]["end"]["line"] + 1)
        made = []
        for problem in document.problems:
            if problem.instead is not None and problem.line in lines:
                edit = {
                    "range": _range(document.words, problem.line, problem.start, problem.end),
                    "newText": problem.instead,
                }
                made.append(
                    {
                        "title": f"Change to `{problem.instead}`",
                        "kind": "quickfix",
                        "diagnostics": [self._diagnostic(document, problem)],
                        "isPreferred": True,
                        "edit": {"changes": {uri: [edit]}},
                    }
                )
        return made

    def _tokens(self, given: Params) -> Any:
        document = self._document(given)
        names = list(TOKENS)
        data: list[int] = []
        line, column = 0, 0
        for word in document.words.words:
            if word.kind not in TOKENS:
                continue
            text = document.words.lines[word.line]
            start, length = _utf16(text[: word.start]), _utf16(text[word.start : word.end])
            data += [word.line - line, start - (column if word.line == line else 0), length, names.index(word.kind), 0]
            line, column = word.line, start
        return {"data": data}

    def _send(self, message: dict[str, Any]) -> None:
        self._messages.write({"jsonrpc": "2.0", **message})


def _path(uri: str) -> str:
    parts = urlsplit(uri)
    return unquote(parts.path) if parts.scheme == "file" and sys.platform != "win32" else uri


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _position(line: int, column: int) -> dict[str, int]:
    return {"line": line, "character": column}


def _range(words: Words, line: int, start: int, end: int) -> dict[str, Any]:
    text = words.lines[line] if line < len(words.lines) else ""
    return {"start": _position(line, _utf16(text[:start])), "end": _position(line, _utf16(text[:end]))}


def _range_of(words: Words, word: Word) -> dict[str, Any]:
    return _range(words, word.line, word.start, word.end)
