"""Messages on a pair of streams: a header with the length in bytes, and JSON. Both protocols of editors are made so."""

from __future__ import annotations

import json
import threading
from typing import Any, BinaryIO

MAX_BYTES = 64 << 20  # of one message
MAX_HEADER = 4_096


class Malformed(Exception):
    """A message that cannot be read; the next one may be."""


class Messages:
    """Reads messages one after the other; writes them whole, from whatever thread."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source = source
        self._sink = sink
        self._writing = threading.Lock()

    def read(self) -> dict[str, Any] | None:
        """The next message, None at the end. Raises Malformed."""
        length = self._length()
        if length is None:
            return None
        if length > MAX_BYTES:
            left = length
            while left and (skipped := self._source.read(min(left, 1 << 20))):
                left -= len(skipped)
            raise Malformed(f"a message of {length:,} bytes; at most {MAX_BYTES:,} are taken")
        data = self._source.read(length)
        if len(data) < length:
            return None
        try:
            message = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise Malformed(f"a message is not JSON: {error}") from None
        if not isinstance(message, dict):
            raise Malformed("a message is not a JSON object")
        return message

    def write(self, message: dict[str, Any]) -> None:
        """Send one message."""
        data = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
        with self._writing:
            self._sink.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
            self._sink.flush()

    def _length(self) -> int | None:
        length = None
        while True:
            line = self._source.readline(MAX_HEADER)
            if not line:
                return None
            name, colon, value = line.partition(b":")
            if not line.strip():
                if length is not None:
                    return length
            elif colon and name.strip().lower() == b"content-length":
                try:
                    length = int(value)
                except ValueError:
                    raise Malformed(f"a length is not a number: {value.strip()[:40]!r}") from None
                if length < 0:
                    raise Malformed(f"a length is {length}")
