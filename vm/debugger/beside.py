"""What is prepared beside the first prompt: begun once that is shown, and waited for once a line was typed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class NeedsTerminal(Exception):
    """What is prepared takes long, and shows how far it has got: not beside a prompt."""


class Beside:
    """One preparation, in a thread. Where it raises NeedsTerminal, or a signal ends it, who waits does `instead`.

    app: the prompt. It ends with what the preparation raises, so that nobody types a line in vain.
    """

    def __init__(
        self, executor: Executor, app: Any, prepare: Callable[[], object], instead: Callable[[], object]
    ) -> None:
        self._executor = executor
        self._app = app
        self._prepare = prepare
        self._instead = instead
        self._future: Future[object] | None = None
        self._is_over = False
        app.after_render += self._begin

    def wait(self) -> None:
        """Until it is prepared. Raises what went wrong."""
        if self._is_over:
            return
        self._begin()
        assert self._future is not None, "it was begun"
        try:
            self._future.result()
        except (NeedsTerminal, KeyboardInterrupt):
            if not self._future.done():
                raise  # Ctrl-C while waiting
            self._instead()
        self._is_over = True

    def _begin(self, app: object = None) -> None:
        if self._future is None:
            self._future = self._executor.submit(self._prepare)
            self._future.add_done_callback(self._tell)

    def _tell(self, future: Future[object]) -> None:
        """Have the prompt show that it is prepared, or end."""
        loop = self._app.loop
        if loop is None:  # no prompt is shown: who waits is told
            return
        with contextlib.suppress(RuntimeError):  # it was closed in this moment
            loop.call_soon_threadsafe(self._app.invalidate if future.exception() is None else self._end)

    def _end(self) -> None:
        assert self._future is not None, "it is over"
        if self._app.is_running and not self._app.is_done:
            self._app.exit(exception=self._future.exception())
