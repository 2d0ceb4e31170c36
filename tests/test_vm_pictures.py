"""Pictures say what was measured, in the one style: text as text, sizes as asked, a colour for a thing and no other."""

import re
import struct

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from assembler import assemble
from learned_units.circuits.subtract_branch import template_sets
from learned_units.experiments.table import Curve, Panel
from learned_units.proof import enumeration
from vm import Halt, Machine
from vm.cli import main
from vm.pictures import margins, panels, run, step, style

CHANGES_ITSELF = """
        sbn     one, again+1            ; the instruction below gets another operand
again:  sbn     one, second
        sbn     zero, minus, -1
one:    .word   1
zero:   .word   0
minus:  .word   -1
        .word   0
second: .word   0
"""


@pytest.fixture
def sbn(capsysbinary, monkeypatch, tmp_path):
    """sbn(arguments): exit code and standard error; files are written to an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str]:
        code = main(arguments)
        return code, capsysbinary.readouterr().err.decode()

    return call


def texts(svg: bytes) -> str:
    """The text of a picture, which stands in it as text."""
    return " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg.decode()))


def pixels(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG")
    return struct.unpack(">II", png[16:24])


# --- one step ---------------------------------------------------------------------------------------------------------


def test_a_step_is_drawn_with_its_difference_its_passes_and_its_nearest_prediction(sbn, tmp_path):
    assert sbn("picture", "step", "9", "-0x17", "--width", "8", "--unit", "ntk-limit", "-o", "step.svg")[0] == 0
    said = texts((tmp_path / "step.svg").read_bytes())
    for words in ("9 − (−23) = 32 by ", "the nearest is 1.00 half gaps away", "pass 0", "prefix", "bit of the word"):
        assert words in said, words


def test_every_prediction_is_drawn_on_its_side_of_its_threshold(unit_of):
    unit = unit_of("ntk-limit", 8)
    drawn = step.figure(unit, 9, 200, 3, 3)
    decisions = unit.explain(9, 200, 3, 3)
    heights = [y for axes in drawn.axes[1:] for y in _points(axes)]
    assert len(heights) == len(decisions) + 1  # the nearest one is circled as well
    assert sum(y > 0 for y in heights) - sum(each.value for each in decisions) in (0, 1)
    assert {y > 0 for y in heights} == {True, False} and 0 not in heights


def _points(axes) -> list[float]:
    return [y for line in axes.lines if line.get_linestyle() == "None" for y in line.get_ydata()]


def test_a_unit_that_predicts_nothing_has_no_step_to_draw(sbn):
    code, err = sbn("picture", "step", "1", "2", "--unit", "native")
    assert code == 2 and "nothing is predicted in a step of the unit 'native'" in err


# --- a run ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(unit_of):
    machine = Machine(assemble(CHANGES_ITSELF), unit_of("ntk-limit"))
    return machine, *run.record(machine, 100)


def test_a_run_says_which_words_were_executed_written_and_both(recorded):
    machine, outcome, steps = recorded
    assert outcome.halt is Halt.HALTED and steps.pcs.tolist() == [0, 3, 6]
    assert steps.written[0] == machine.image.symbols["again"] + 1
    said = texts(style.as_file(run.figure("it", machine, outcome, steps), "svg", 100))
    assert "it: 3 closed-form steps, no decision closer to its threshold than 1.00 half gaps" in said
    assert "9 words are executed and 3 written; 1 is both: the program changes its own code" in said


def test_a_long_run_is_drawn_as_bands_that_keep_the_smallest_margin(recorded):
    machine, outcome, _ = recorded
    count = run.MOST_POINTS + 1
    margins_seen = np.ones(count, np.float32)
    margins_seen[1234] = 0.25
    drawn = run.figure("it", machine, outcome, run.Steps(np.zeros(count, int), np.full(count, -1), margins_seen))
    (band,) = [line for line in drawn.axes[0].lines if str(line.get_label()).startswith("smallest of 6 steps")]
    heights = np.asarray(band.get_ydata())
    assert heights.min() == 0.25 and len(heights) == run.BANDS


def test_a_run_of_no_steps_is_refused(recorded):
    machine, outcome, _ = recorded
    with pytest.raises(ValueError, match="no steps to draw"):
        run.figure("it", machine, outcome, run.Steps(np.zeros(0, int), np.zeros(0, int), np.zeros(0, np.float32)))


@pytest.mark.parametrize("count", [1, 3, 900])
def test_steps_and_addresses_are_counted_in_whole_numbers_that_are_not_negative(unit_of, count):
    machine = Machine(assemble(CHANGES_ITSELF), unit_of("native"))
    outcome = machine.run()
    pcs = np.arange(count) * 3
    drawn = run.figure("it", machine, outcome, run.Steps(pcs, pcs + 1, np.full(count, np.inf, np.float32)))
    for ticks in (drawn.axes[1].get_xticks(), drawn.axes[1].get_yticks()):
        assert ticks[0] == 0 and all(tick >= 0 and tick == round(tick) for tick in ticks)
    assert drawn.axes[1].get_ylim()[0] > pcs[-1] > drawn.axes[1].get_ylim()[1], "addresses grow downwards"


def test_a_program_is_drawn_to_its_own_name_in_the_size_and_dots_that_are_asked_for(sbn, tmp_path):
    (tmp_path / "own.sbn").write_text(CHANGES_ITSELF)
    code, err = sbn("picture", "run", "own.sbn", "--unit", "ntk-limit", "--size", "5x3.5", "--dpi", "60")
    assert code == 0 and "picture written to own.png" in err
    assert pixels((tmp_path / "own.png").read_bytes()) == (300, 210)


# --- every margin -----------------------------------------------------------------------------------------------------


def test_the_histogram_counts_every_decision_once_and_agrees_with_the_enumeration(unit_of):
    sets, params = template_sets(8), unit_of("ntk").params
    small = {name: sets[name] for name in ("select", "any")}
    counted = margins.count(small, params, lambda what, part: None)
    for name, each in counted.items():
        found = enumeration.enumerate_inputs(sets[name], params[name])
        assert (each.inputs, each.smallest) == (found.inputs, found.smallest_margin)
        assert each.counts.sum() == found.inputs * sets[name].output_bits
        assert each.counts[margins.bin_edges()[:-1] < 0].sum() == 0
    said = texts(style.as_file(margins.figure(counted, 0.25), "svg", 100))
    assert f"None of {sum(each.counts.sum() for each in counted.values()):,} decisions" in said
    assert "accepted from 0.25 on" in said and "select, 6,561 inputs" in said


def test_the_histogram_says_how_many_decisions_are_wrong():
    counts = np.zeros(len(margins.bin_edges()) - 1, np.int64)
    counts[margins.bin_edges()[:-1] < 0] = 1
    counts[-1] = 5
    wrong = int((margins.bin_edges()[:-1] < 0).sum())
    drawn = margins.figure({"net": margins.Counted(7, counts, -0.9)}, None)
    assert f"{wrong} of {wrong + 5} decisions, on all 7 inputs, are wrong" in drawn.axes[0].get_title(loc="left")


def test_margins_are_drawn_of_what_is_enumerated_only(sbn):
    code, err = sbn("verify", "--unit", "native", "--width", "8", "--plot", "m.png")
    assert code == 2 and "has too many to enumerate" in err
    code, err = sbn("verify", "--whole", "--plot", "m.png")
    assert code == 2 and "--plot is not for --whole" in err


# --- panels -----------------------------------------------------------------------------------------------------------

PAIRS = Panel(
    "What was found, in as many words as it takes to say what a reader is to see in this picture first",
    "size, units",
    "error, %",
    (
        Curve("a, before", (1.0, 2.0, 4.0), (5.0, 5.0, 5.0), "dashed", "a"),
        Curve("a, after", (1.0, 2.0, 4.0), (0.0, 0.0, 0.0), family="a"),
        Curve("b, after", (1.0, 2.0, 4.0), (0.0, 0.0, None), family="b"),
        Curve("c", (1.0, 2.0), (1.0, 2.0), "points"),
    ),
    log="x",
    linear_below=0.01,
)


@pytest.fixture(scope="module")
def drawn():
    return panels.figure((PAIRS,))


def test_curves_of_a_family_have_one_colour_and_no_other_curve_has_it(drawn):
    before, after, other, points = drawn.axes[0].lines
    assert before.get_color() == after.get_color()
    assert len({after.get_color(), other.get_color(), points.get_color()}) == 3
    assert before.get_linestyle() != after.get_linestyle()


def test_curves_that_coincide_are_both_seen(drawn):
    _, one, other, _ = drawn.axes[0].lines
    assert one.get_marker() != other.get_marker() and one.get_markersize() > other.get_markersize()
    assert one.get_markerfacecolor() == "none"
    assert drawn.axes[0].get_ylim()[0] < 0 and drawn.axes[0].get_yscale() == "symlog"


def test_the_legend_is_inside_and_the_title_is_the_finding_within_the_picture(drawn):
    axes = drawn.axes[0]
    style.as_file(drawn, "png", 60)
    legend, title, whole = axes.get_legend().get_window_extent(), axes._left_title.get_window_extent(), drawn.bbox
    assert axes.bbox.x0 <= legend.x0 and legend.x1 <= axes.bbox.x1 and axes.bbox.y0 <= legend.y0
    assert title.x1 <= whole.x1 and " ".join(axes.get_title(loc="left").split()) == PAIRS.title


def test_each_of_eight_curves_has_a_colour_a_marker_and_dashes_of_its_own():
    assert len(set(style.COLOURS)) == len(set(style.MARKERS)) == len(set(style.DASHES)) == 8


@pytest.mark.parametrize("type", ["svg", "pdf"])
def test_vector_pictures_hold_text_as_text_and_are_the_same_each_time(type):
    one, other = (style.as_file(panels.figure((PAIRS,)), type, 100) for _ in range(2))
    assert one == other
    if type == "svg":
        assert "error, %" in texts(one) and "What was found" in texts(one)
    else:
        assert b"/Type3" not in one and b"/FontFile2" in one


@pytest.mark.parametrize("name", ["networks", "training_sets"])
def test_the_panels_of_experiments_name_both_axes_and_say_a_finding(name):
    import importlib

    table = importlib.import_module(f"learned_units.experiments.{name}").measure(True, lambda what, part: None)
    for panel in table.panels:
        assert panel.x_label and panel.y_label and re.search(r"\d", panel.title)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("reproduce", "networks", "--size", "6x4"), "--size is of a picture; name its file with --plot"),
        (("reproduce", "networks", "--plot", "x.png", "--size", "6"), "'6' is no size; give two numbers of inches"),
        (("picture", "step", "1", "2", "-o", "x.doc"), "-o x.doc: the name must end with a type of picture"),
        (("picture", "run", "hello", "-o", "/nowhere/x.png"), "there is no folder /nowhere"),
        (("verify", "--dpi", "100"), "--dpi is of a picture; name its file with --plot"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_measured(sbn, capsysbinary, arguments, said):
    try:
        code, err = sbn(*arguments)
    except SystemExit as left:
        code, err = left.code, capsysbinary.readouterr().err.decode()
    assert code == 2 and said in err
