"""Progress, warnings and tables, on a terminal and elsewhere."""

import io
import sys

from vm.console import terminal


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_a_bar_on_a_terminal_and_is_taken_off_again(monkeypatch):
    screen = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", screen)
    talk = terminal.Talk(quiet=False)
    talk.progress("training 'first'", 0.5)
    bar = screen.getvalue()
    assert bar == "\r[##########..........] training 'first'"
    talk.say("done")
    width = len(bar) - 1
    assert screen.getvalue() == bar + "\r" + " " * width + "\rdone\n"


def test_progress_is_a_line_for_each_stage_elsewhere_and_nothing_when_quiet(monkeypatch):
    for quiet, told in ((False, "training 'first'\nchecking\n"), (True, "")):
        written = io.StringIO()
        monkeypatch.setattr(sys, "stderr", written)
        talk = terminal.Talk(quiet)
        for width in (32, 64):
            talk.progress(f"training 'first': 2 networks of width {width}", 0.1)
            talk.progress(f"checking at width {width}", 0.1)
        assert written.getvalue() == told


def test_refused_weights_are_told_once_and_even_when_quiet(monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    talk = terminal.Talk(quiet=True)
    for _ in range(2):
        talk.progress("weights refused: damaged", 0.0)
    assert written.getvalue() == "sbn: warning: weights refused: damaged\n"


def test_a_table_aligns_its_columns():
    assert terminal.table([("a", "1"), ("long", "22")], right=(1,)) == "a      1\nlong  22\n"
