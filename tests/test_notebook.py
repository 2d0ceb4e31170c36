"""Objects show themselves: in one line, as a card in a notebook; and work from Python shows its progress."""

import io
import re
import sys
import warnings
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

import assembler.card
import learned_units.card
import programs
from assembler import AssemblyError, assemble
from learned_units import load_unit, progress
from learned_units.decisions import Decisions
from learned_units.unit import Decision
from vm import Divergence, Halt, Machine, run_batch

VOID = {"br", "img", "progress"}
COUNTING = """
.isa sbn
again:  sbn one, count
        sbn zero, minus, again
zero:   .word 0
one:    .word 1
minus:  .word -1
count:  .word 0
"""


class Reading(HTMLParser):
    """Tags, attributes and text of a piece of HTML, every tag of which is closed."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(markup)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def ran(unit_of):
    machine = Machine(assemble(programs.source("adder"), "adder.sbn"), unit_of("ntk-limit"), input=b"-17 59")
    return machine, machine.run()


@pytest.fixture(scope="module")
def shown(ran, unit_of):
    """One of each kind of object that shows itself."""
    machine, outcome = ran
    unit = machine.unit
    return [machine, outcome, unit, unit_of("ntk"), machine.image, unit.explain(5, 3), unit_of("native").explain(5, 3)]


def test_every_object_is_one_short_line_in_a_terminal(shown, ran):
    with pytest.raises(AssemblyError) as wrong:
        assemble(" sbn x, y\n" * 30)
    chunks = []
    Machine(COUNTING, "native").run(5, chunks.append)
    for each in [*shown, wrong.value, ran[0].image.source_map, chunks[0], chunks[0].record]:
        assert "\n" not in repr(each) and len(repr(each)) <= 130, type(each)


def test_the_lines_say_what_the_objects_are(ran, unit_of):
    machine, outcome = ran
    assert repr(machine) == "<Machine adder: step 162, pc 65535, ntk-limit, halted, agrees>"
    assert re.fullmatch(
        r"<Outcome halted: 162 steps, 10 of them on the console, smallest margin 1\.00, 3 bytes of output, \d+\.\d s>",
        repr(outcome),
    )
    assert repr(unit_of("native")) == "<Unit native, 16-bit sbn: integer arithmetic>"
    assert repr(unit_of("native").explain(5, 3)) == "<no decisions: nothing is predicted>"
    assert repr(machine.unit.explain(5, 3)).startswith("<112 decisions in 4 passes, smallest margin 1.000: pass ")


def test_a_machine_says_whether_it_is_checked_and_what_disagreed():
    unchecked = Machine(COUNTING, "native", check=False)
    assert repr(unchecked) == "<Machine: step 0, pc 0, native, not checked>"
    stopped = Machine(COUNTING, "native")
    stopped.divergence, stopped.halt = Divergence(7, 3, "step 7 differs\n  by <much>"), Halt.DIVERGED
    assert repr(stopped) == "<Machine: step 0, pc 0, native, diverged>"
    assert "by <much>" in Reading(stopped._repr_html_()).text and repr(stopped.divergence).count("\n") == 0


def test_the_cards_are_whole_and_need_nothing_around_them(shown):
    for each in shown:
        markup = each._repr_html_()
        reading = Reading(markup)
        assert not reading.tags & {"script", "style", "link", "img", "iframe"}
        assert reading.attributes <= {"style", "scope", "open", "aria-hidden"}
        assert "http" not in markup and "url(" not in markup


def test_the_cards_leave_the_text_in_the_colour_of_the_notebook(shown):
    for each in shown:
        for style in re.findall(r'style="([^"]*)"', each._repr_html_()):
            assert re.findall(r"(?<![-\w])color: ([^;]+)", style) in ([], ["inherit"])


def test_nothing_a_program_holds_is_taken_for_markup():
    text = " sbn tag, -1\n sbn tag, x, -1 ; <script>alert(1)</script>\nx: .word 0\ntag: .word '<'\n"
    machine = Machine(assemble(text, "<b>.sbn"), "native")
    outcome = machine.run(2)
    for each in (machine, outcome, machine.image):
        reading = Reading(each._repr_html_())
        assert not reading.tags & {"script", "b"}
    assert "<script>" in Reading(machine.image._repr_html_()).text
    odd = Decisions([Decision(0, "<i>net</i>", "<u>", 0, 1, float("nan"), 0.5, 0, float("nan"))])
    assert not Reading(odd._repr_html_()).tags & {"i", "u"}


def test_the_two_packages_draw_cards_by_the_same_code():
    one, other = Path(assembler.card.__file__), Path(learned_units.card.__file__)
    assert one != other and one.read_bytes() == other.read_bytes()


def test_a_page_is_shown_in_a_frame_that_may_run_scripts_and_nothing_else(ran):
    frame = Reading(ran[0].page()._repr_html_())
    assert frame.tags == {"iframe"} and frame.text == ""
    assert 'sandbox="allow-scripts"' in ran[0].page()._repr_html_()[:200]


def test_ipython_is_given_the_diagnostics_and_no_line_of_python():
    with pytest.raises(AssemblyError) as wrong:
        assemble(" sbn x, y\n")
    lines = wrong.value._render_traceback_()
    assert lines[0] == "AssemblyError: 2 errors" and "<text>:1:6: error: undefined label `x`" in lines
    assert not any("File " in line or ".py" in line for line in lines)


# --- progress ---------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def watched(monkeypatch):
    """Standard error as a terminal on which everything is drawn at once."""
    stream = Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stream, modules=sys.modules))
    monkeypatch.setattr(progress, "SOON", 0.0)
    monkeypatch.setattr(progress, "REDRAW_SECONDS", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    return stream


def test_a_long_run_shows_its_steps_on_a_terminal(watched, unit_of):
    Machine(COUNTING, unit_of("native")).run(20_000)
    assert re.search(r"\d[\d,]* steps, \d[\d,]* steps/s", watched.getvalue()) and "100%" in watched.getvalue()


def test_a_long_batch_shows_its_steps_on_a_terminal(watched, unit_of):
    run_batch([COUNTING, COUNTING], unit_of("native"), max_steps=5_000)
    assert re.search(r"\d[\d,]* steps, \d[\d,]* steps/s", watched.getvalue())


@pytest.mark.parametrize("silenced", ["progress=False", "on_chunk", "no terminal", "soon done"])
def test_a_run_shows_nothing_where_that_was_declined_or_nobody_watches(watched, unit_of, monkeypatch, silenced):
    if silenced == "no terminal":
        monkeypatch.setattr(watched, "isatty", lambda: False)
    if silenced == "soon done":
        monkeypatch.setattr(progress, "SOON", 60.0)
    machine = Machine(COUNTING, unit_of("native"), progress=False if silenced == "progress=False" else None)
    machine.run(20_000, (lambda chunk: None) if silenced == "on_chunk" else None)
    assert watched.getvalue() == ""


@pytest.mark.parametrize("wanted", [None, False])
def test_weights_that_are_proved_show_it_unless_that_is_declined(watched, tmp_path, monkeypatch, wanted):
    monkeypatch.setenv("SBN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("learned_units.weights.recipes._prove", _proving)
    load_unit("ntk", progress=wanted)
    assert ("proving, said the test" in watched.getvalue()) == (wanted is None)


def _proving(recipe, found, report):
    """In place of the proof: the weights as they are, and a word of progress."""
    if report is not None:
        report("proving, said the test", 0.5)
    return found


def test_a_warning_is_no_line_of_progress(watched):
    with progress.shown() as report, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert report is not None
        report("weights refused: they are damaged", 0.0)
    assert [str(each.message) for each in caught] == ["weights refused: they are damaged"]
    assert watched.getvalue() == ""


# --- a notebook -------------------------------------------------------------------------------------------------------

CELLS = [
    "from assembler import assemble\nfrom learned_units import load_unit\nfrom vm import Machine\nimport programs",
    "unit = load_unit('ntk')\nunit",
    "image = assemble(programs.source('adder'), 'adder.sbn')\nimage",
    "machine = Machine(image, unit, input=b'-17 59')\nmachine.run()",
    "machine",
    "unit.explain(5, 3)",
    "machine.page()",
    "_ = Machine('.isa sbn\\nagain: sbn zero, minus, again\\nzero: .word 0\\nminus: .word -1\\n', unit).run(400_000)",
    "_ = Machine('.isa sbn\\nagain: sbn zero, minus, again\\nzero: .word 0\\nminus: .word -1\\n', unit, progress=False)"
    ".run(400_000)",
    "assemble(' sbn x, y')",
]


@pytest.mark.slow
def test_a_notebook_shows_cards_progress_and_diagnostics(tmp_path):
    """Executed end to end by a kernel, where Jupyter is installed."""
    client = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    client.NotebookClient(
        notebook, timeout=300, allow_errors=True, resources={"metadata": {"path": tmp_path}}
    ).execute()
    outputs = [cell["outputs"] for cell in notebook["cells"]]

    def shown_html(k: int) -> str:
        return "".join(each["data"].get("text/html", "") for each in outputs[k] if "data" in each)

    for k, words in enumerate(("Unit ntk", "listing: ", "halted", "Machine adder", "Decisions of one step"), 1):
        assert words in shown_html(k), k
    assert shown_html(6).startswith("<iframe ")
    assert "steps, " in shown_html(7)
    assert outputs[8] == []
    error = outputs[9][-1]
    assert error["ename"] == "AssemblyError" and len(error["traceback"]) < 15
    assert "undefined label `x`" in "\n".join(error["traceback"])
