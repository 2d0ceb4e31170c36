"""A legend has room above the curves of a panel, and the room says nothing of its own."""

import importlib
import inspect
from typing import Any

import pytest

pytest.importorskip("matplotlib")

from learned_units.experiments import EXPERIMENTS
from learned_units.experiments.table import Curve, Panel
from vm import cli
from vm.pictures import panels, style


def drawn(log: str, heights: tuple[float, ...], count: int = 5) -> Any:
    """The axes of a panel of some curves that fill the whole of it."""
    curves = tuple(Curve(f"curve {k}", (1.0, 2.0, 3.0), heights) for k in range(count))
    figure = panels.figure([Panel("a finding", "x", "y", curves, log=log)])
    style.as_file(figure, "png", 50)  # lays it out
    return figure.axes[0]


def labels(axis: Any) -> list[str]:
    """What is written at the ticks of an axis, between its ends."""
    low, high = axis.get_view_interval()
    ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return [label.get_text() for at, label in ticks if low <= at <= high]


@pytest.mark.parametrize("log", ["", "y"])
@pytest.mark.parametrize("count", [1, 4, 8])
def test_no_curve_is_under_the_legend(log: str, count: int) -> None:
    axes = drawn(log, (100.0, 1.0, 100.0), count)
    box = axes.get_legend().get_window_extent()
    highest = axes.transData.transform((1.0, 100.0))[1]
    assert box.y0 > highest or box.y1 < highest


def test_the_room_for_a_legend_has_no_ticks_on_a_linear_axis() -> None:
    axes = drawn("", (100.0, 0.0, 100.0))
    assert max(axes.get_yticks()) == 100 < axes.get_ylim()[1] < 200


def test_the_room_above_shares_has_no_ticks_and_dashed_limits_have_no_line_in_the_legend() -> None:
    curves = (Curve("measured", (1.0, 2.0), (0.0, 100.0)), Curve("", (1.0, 2.0), (0.5, 100.0), "dashed", "measured"))
    figure = panels.figure([Panel("a finding", "x", "share, %", curves, linear_below=0.01)])
    style.as_file(figure, "png", 50)
    axes: Any = figure.axes[0]
    assert labels(axes.yaxis) == ["0", "0.01", "0.1", "1", "10", "100"] and axes.get_ylim()[1] > 100
    assert max(axes.get_yticks(minor=False)) == 100 and not list(axes.get_yticks(minor=True))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["measured"]
    solid, dashed = axes.lines
    assert solid.get_color() == dashed.get_color()


def test_zero_is_a_line_where_curves_cross_it() -> None:
    heights = {"crossing": (-1.0, 2.0, 1.0), "above": (0.0, 2.0, 1.0)}
    levels = {name: [set(line.get_ydata()) for line in drawn("", some, 1).lines] for name, some in heights.items()}
    assert {0} in levels["crossing"] and levels["above"] == [{0.0, 2.0, 1.0}]


def test_a_title_of_two_lines_has_no_line_of_one_word() -> None:
    axes = drawn("", (1.0, 2.0, 3.0))
    with style.styled():
        style.title(axes, "word " * 11 + "end", 5.0)
    first, second = axes.get_title(loc="left").split("\n")
    assert abs(len(first) - len(second)) <= 5


@pytest.mark.parametrize(
    ("heights", "written"),
    [
        ((16.0, 64.0, 128.0), ["16", "32", "64", "128", "256"]),
        ((30.0, 60.0, 190.0), ["20", "50", "100", "200", "500"]),
        ((0.05, 3.0, 2.0), ["0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10"]),
        ((4.0, 700.0, 1_300.0), ["10", "100", "1,000", "10,000"]),
    ],
)
def test_a_logarithmic_axis_is_labelled_with_numbers_in_full(heights: tuple[float, ...], written: list[str]) -> None:
    axes = drawn("y", heights)
    found = labels(axes.yaxis)
    assert [each for each in found if each in written] == found and len(found) >= 3
    assert not any(label.get_text() for label in axes.yaxis.get_minorticklabels())


def test_the_ticks_of_a_few_whole_numbers_are_those_that_were_measured() -> None:
    for measured, written in (((5.0, 10.0, 15.0), ["5", "10", "15"]), ((1.0, 2.0, 40.0), ["10", "20", "30", "40"])):
        figure = panels.figure([Panel("a finding", "x", "y", (Curve("one", measured, (1.0, 2.0, 3.0)),))])
        style.as_file(figure, "png", 50)
        found = labels(figure.axes[0].xaxis)
        assert set(written) <= set(found) and "2.5" not in found, found


def test_an_experiment_without_figures_is_not_drawn_and_says_so_before_anything_is_measured(tmp_path, capsys) -> None:
    for name, experiment in EXPERIMENTS.items():
        source = inspect.getsource(importlib.import_module(f"learned_units.experiments.{experiment.module}"))
        assert ("Panel(" in source) == experiment.is_drawn, name
    assert cli.main(["reproduce", "precision", "--plot", str(tmp_path / "x.png")]) == 2
    assert "'precision' is a table and has no figures; those that have: permutations, " in capsys.readouterr().err
