"""The debug adapter: requests of an editor come in, a session moves, and events tell where it stopped.

Requests are carried out one by one in a thread of their own, while the stream is read on. One that comes in the
middle of a run breaks it off; unless it is to end the run, as `pause` is, the run goes on once it was answered.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from vm.debugger.errors import CommandError
from vm.debugger.session import Session
from vm.editors import requests
from vm.editors.arguments import Refused
from vm.editors.messages import Malformed, Messages
from vm.editors.requests import Debugged, Run

ENDS_A_RUN = {"pause", "restart", "terminate", "disconnect"}  # any other request only breaks it off


class Adapter:
    """One debug session of an editor. open_session: what `launch` asks for, as a session; raises Refused."""

    def __init__(self, messages: Messages, open_session: Callable[[dict[str, Any]], Session]) -> None:
        self._messages = messages
        self._open = open_session
        self._waiting: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._sent = 0
        self._sending = threading.Lock()
        self._running = threading.Event()
        self._leaving = threading.Event()
        self._debugged: Debugged | None = None

    def serve(self) -> None:
        """Answer requests until the editor leaves."""
        worker = threading.Thread(target=self._work, daemon=True)
        worker.start()
        while not self._leaving.is_set():
            try:
                message = self._messages.read()
            except Malformed as error:
                self.event("output", category="important", output=f"{error}\n")
                continue
            if message is None:
                break
            self._take(message)
        self._leaving.set()
        self._stop()
        self._waiting.put(None)
        worker.join(10)

    def event(self, name: str, **body: Any) -> None:
        """Tell the editor something."""
        self._send({"type": "event", "event": name, "body": body})

    def _take(self, message: dict[str, Any]) -> None:
        command = message.get("command")
        if message.get("type") != "request" or not isinstance(command, str):
            self.event("output", category="important", output="a message is no request, and was left out\n")
            return
        if command == "disconnect":
            self._leaving.set()
        self._waiting.put(message)
        if self._running.is_set() or command in ENDS_A_RUN:
            self._stop()
        if command == "disconnect":
            self._waiting.join()

    def _stop(self) -> None:
        if self._debugged is not None:
            self._debugged.session.stop_requested.set()

    def _forget_stop(self) -> None:
        """Let a run or a command of the console be broken off only by what comes from now on, or waits already."""
        if self._debugged is None:
            return
        self._debugged.session.stop_requested.clear()
        with self._waiting.mutex:
            comes = any(message is None or message["command"] in ENDS_A_RUN for message in self._waiting.queue)
        if comes or self._leaving.is_set():
            self._stop()

    def _work(self) -> None:
        run: Run | None = None
        while True:
            if run is not None and self._waiting.empty() and not self._leaving.is_set():
                run = self._carry_on(run)
                continue
            message = self._waiting.get()
            if message is None:
                return
            self._forget_stop()
            try:
                started = self._answer(message)
                run = started or (None if message["command"] in ENDS_A_RUN else run)
                if message["command"] == "pause" and self._debugged is not None:
                    self.event("stopped", reason="pause", threadId=requests.THREAD, allThreadsStopped=True)
            finally:
                self._waiting.task_done()

    def _carry_on(self, run: Run) -> Run | None:
        """Let the machine run; the same run where a request has broken it off."""
        debugged = self._debugged
        assert debugged is not None, "what runs was launched"
        self._running.set()
        self._forget_stop()
        try:
            if not self._waiting.empty():
                return run
            ended = debugged.move(run)
        finally:
            self._running.clear()
        if ended is None:
            return run
        for name, body in ended:
            self.event(name, **body)
        return None

    def _answer(self, message: dict[str, Any]) -> Run | None:
        """Answer a request; the run that it began, if it is one that moves the machine."""
        command, arguments = message["command"], message.get("arguments")
        body: dict[str, Any] | None = None
        try:
            if arguments is not None and not isinstance(arguments, dict):
                raise Refused("the arguments are no object")
            body, events, run = self._result(command, arguments or {})
        except (Refused, CommandError) as error:
            self._respond(message, str(error))
            return None
        except Exception as error:
            said = " ".join(str(error).split())
            self._respond(message, f"{type(error).__name__}: {said}; this should not happen, and the session goes on")
            return None
        self._respond(message, None, body)
        for name, content in events:
            self.event(name, **content)
        return run

    def _result(
        self, command: str, arguments: dict[str, Any]
    ) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]], Run | None]:
        if command == "initialize":
            if arguments.get("linesStartAt1") is False or arguments.get("columnsStartAt1") is False:
                raise Refused("lines and columns are counted from 1 here, not from 0")
            return requests.CAPABILITIES, [], None
        if command in ("disconnect", "terminate"):
            return {}, [("terminated", {})] if command == "terminate" else [], None
        if command == "pause":
            return {}, [], None
        if command == "launch":
            if self._debugged is not None:
                raise Refused("a program has been launched already; `restart` starts it again")
            session = self._open(arguments)
            session.on_output = lambda data: self.event(
                "output", category="stdout", output=data.decode("utf-8", "replace")
            )
            self._debugged = Debugged(session, arguments)
            return {}, [("initialized", {})], None
        if self._debugged is None:
            raise Refused(f"`{command}` needs a program; `launch` comes first")
        return self._debugged.answer(command, arguments)

    def _respond(self, message: dict[str, Any], reason: str | None, body: dict[str, Any] | None = None) -> None:
        answer: dict[str, Any] = {"type": "response", "request_seq": message.get("seq", 0), "success": reason is None}
        answer["command"] = message["command"]
        if reason is not None:
            answer["message"] = reason
            answer["body"] = {
                "error": {"id": 1, "format": reason.replace("{", "(").replace("}", ")"), "showUser": True}
            }
        elif body:
            answer["body"] = body
        self._send(answer)

    def _send(self, message: dict[str, Any]) -> None:
        with self._sending:
            self._sent += 1
            self._messages.write({"seq": self._sent, **message})
