"""`sbn bench`: the speeds it compares, and what else it measures."""

import csv

import pytest
from marks import slow
from sbn_command import Sbn

from vm.benchmark import growth, start
from vm.command import bench

QUICK = ("--seconds", "0.002", "--repeat", "1")


@pytest.fixture
def sbn(capsysbinary, monkeypatch):
    return Sbn(capsysbinary, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [
        ("ntk", "ntk-limit"),
        pytest.param(bench.UNITS, marks=pytest.mark.slow),
    ],
)
def test_bench_compares_units_alone_in_batches_and_whole_machines_with_the_reference(sbn, names, unit_of, monkeypatch):
    monkeypatch.setattr(bench, "UNITS", names)
    monkeypatch.setattr(bench, "WHOLE", names[1:2])
    for name in names:
        unit_of(name)
    assert sbn("bench", *QUICK, "--machines", "4", "--csv", "-q") == 0
    head, *rows = list(csv.reader(sbn.text.splitlines()))
    assert head == list(bench.COLUMNS) and sbn.err == ""
    ways = (["1", "off"], ["1", "on"], ["4", "off"], ["4", "on"])
    assert [row[:3] for row in rows] == [
        ["reference", "1", ""],
        *([name, *way] for name in names for way in ways),
        *([f"{names[1]} whole machine", *way] for way in ways[:2]),
    ]
    assert all(float(row[3]) > 0 for row in rows) and float(rows[0][4]) == 1
    assert all((row[5] == "") == (row[2] != "on") for row in rows)


@pytest.mark.slow
def test_bench_says_what_the_networks_use_of_the_machine(sbn, unit_of, monkeypatch):
    monkeypatch.setattr(bench, "UNITS", ("ntk",))
    monkeypatch.setattr(bench, "WHOLE", ())
    unit_of("ntk")
    assert sbn("bench", *QUICK, "--machines", "0", "--no-start") == 0
    lines = sbn.text.splitlines()
    assert lines[0].split()[:3] == ["executor", "machines", "lockstep"]
    assert lines[-1].startswith("one machine") and "measured peaks" in sbn.err.splitlines()[-1]


@pytest.mark.slow
def test_bench_says_what_a_start_consists_of():
    cold, warm = start.measure(1, lambda *_: None)
    assert (cold.kind, warm.kind) == ("cold", "warm")
    for each in (cold, warm):
        assert list(each.parts) == ["assembling", "importing", "weights", "machine", "loop", "running", start.REST]
        assert sum(each.parts.values()) == pytest.approx(each.total)
        assert all(seconds > 0 for seconds in each.parts.values())
    assert cold.parts["weights"] > 2 * warm.parts["weights"]  # in a cold start they are proved


@pytest.mark.slow
@pytest.mark.parametrize("what", ["width", *slow("memory", "ensemble", "machines")])
def test_bench_measures_and_draws_growth(sbn, unit_of, what, monkeypatch, tmp_path):
    unit_of("ntk")
    monkeypatch.setitem(growth.SIZES, what, growth.SIZES[what][:2])
    monkeypatch.setattr(growth, "GROWN", ("ntk",))
    assert sbn("bench", *QUICK, "--growth", what, "--csv", "--plot", str(tmp_path / "p.svg")) == 0
    head, *rows = list(csv.reader(sbn.text.splitlines()))
    assert head[1:] == ["executor", "steps/s"] and len(rows) == 2
    assert b"<svg" in (tmp_path / "p.svg").read_bytes()
    assert all(name == "ntk" and float(speed) > 0 for _, name, speed in rows)
