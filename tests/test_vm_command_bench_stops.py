"""`sbn bench --stops`: what a conditional stop costs in the debugger."""

import csv
from collections.abc import Callable

import pytest

from learned_units import load_unit
from vm.benchmark import stops
from vm.command import bench

Sbn = Callable[..., tuple[int, str, str]]


def test_a_conditional_stop_is_met_and_measured_on_each_unit(sbn: Sbn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "UNITS", ("native",))
    code, said, _ = sbn("bench", "--stops", "--seconds", "0.002", "--repeat", "1", "--csv", "-q")
    head, row = csv.reader(said.splitlines())
    assert code == 0 and tuple(head) == bench.STOP_COLUMNS and row[0] == "native"
    stopped, hits = float(row[2]), float(row[3])
    assert abs(stopped - 2 * hits) <= 1 and all(float(speed) > 0 for speed in row[1:])


def test_the_condition_holds_at_no_width() -> None:
    for width in (8, 64):
        assert stops.measure(load_unit("native", width), 1, 0.0, lambda what, part: None).hits > 0
