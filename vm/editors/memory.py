"""Memory as editors want it: an address is a text, a word as many bytes as it needs, the lowest first."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from vm.debugger import rendering
from vm.debugger.errors import CommandError
from vm.debugger.session import Session
from vm.editors.arguments import Refused, number, text

WORDS = 3  # of an instruction
MAX_COUNT = 1 << 20


def address(given: dict[str, Any], name: str) -> int:
    """The address that an argument stands for. Raises Refused."""
    try:
        return int(str(given.get(name)), 0)
    except ValueError:
        raise Refused(f"the argument `{name}` is no address") from None


def read(session: Session, given: dict[str, Any]) -> dict[str, Any]:
    """Some bytes from an address on."""
    size, start, skipped = _range(session, given)
    count = min(number(given, "count", 0, least=0), MAX_COUNT)
    first, last = start, min(session.size, start + -(-(skipped + count) // size))
    words = [int(word) for word in session.present.memory[first:last].tolist()] if 0 <= first < session.size else []
    data = b"".join(word.to_bytes(size, "little") for word in words)[skipped : skipped + count]
    body = {"address": str(start), "data": base64.b64encode(data).decode("ascii")}
    return body | ({"unreadableBytes": count - len(data)} if len(data) < count else {})


def write(session: Session, given: dict[str, Any]) -> dict[str, Any]:
    """Change bytes from an address on."""
    size, start, skipped = _range(session, given)
    try:
        data = base64.b64decode(text(given, "data"), validate=True)
    except ValueError:
        raise Refused("the data is not in base 64") from None
    if not data:
        return {"bytesWritten": 0}
    start = session.checked_address(start)
    count = -(-(skipped + len(data)) // size)
    session.checked_address(start + count - 1)
    old = b"".join(
        int(word).to_bytes(size, "little") for word in session.present.memory[start : start + count].tolist()
    )
    new = old[:skipped] + data + old[skipped + len(data) :]
    mask = session.console
    words = {start + k: int.from_bytes(new[k * size : (k + 1) * size], "little") for k in range(count)}
    if any(word > mask for word in words.values()):
        raise CommandError(f"a byte does not fit a word of {session.word_bits} bits")
    session.edit(f"write memory at {start}", words)
    return {"bytesWritten": len(data)}


def disassembled(session: Session, given: dict[str, Any], place: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """Instructions from an address on, each three words."""
    size = -(-session.word_bits // 8)
    start = address(given, "memoryReference") + number(given, "offset", 0) // size
    start += WORDS * number(given, "instructionOffset", 0)
    count = min(number(given, "instructionCount", 0, least=0), MAX_COUNT // 64)
    rows = []
    for at in range(start, start + WORDS * count, WORDS):
        if not 0 <= at <= session.size - WORDS:
            rows.append({"address": str(at), "instruction": "(outside the memory)", "presentationHint": "invalid"})
            continue
        row: dict[str, Any] = {"address": str(at), "instruction": rendering.instruction_at(session, at)}
        label, path = session.labels.at(at), session.path(at)
        if label is not None:
            row["symbol"] = label
        if path:
            row |= {"location": place(path[0].file), "line": path[0].line}
        rows.append(row)
    return {"instructions": rows}


def _range(session: Session, given: dict[str, Any]) -> tuple[int, int, int]:
    """Bytes of a word, the first word, and how many of its bytes to leave out."""
    size = -(-session.word_bits // 8)
    words, skipped = divmod(number(given, "offset", 0), size)
    return size, address(given, "memoryReference") + words, skipped
