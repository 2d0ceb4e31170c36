"""`sbn reproduce`: what it lists, prints, writes and draws."""

import csv
import importlib
import io
import sys
from pathlib import Path

import pytest

from learned_units.experiments import EXPERIMENTS
from learned_units.experiments.table import Curve, Panel, Table
from vm.cli import main

QUICK = "training-sets"  # takes no training


@pytest.fixture
def sbn(capsysbinary):
    """sbn(arguments): exit code, standard output and standard error, as text."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(("reproduce", *arguments))
        written = capsysbinary.readouterr()
        return code, written.out.decode(), written.err.decode()

    return run


def test_every_experiment_is_listed_with_its_sentence_and_has_a_measurement(sbn):
    code, out, _ = sbn()
    assert code == 0
    for name, experiment in EXPERIMENTS.items():
        assert name in out and " ".join(experiment.sentence.split()) in " ".join(out.split())
        assert callable(importlib.import_module(f"learned_units.experiments.{experiment.module}").measure)


def test_the_list_takes_no_jax(sbn, tmp_path):
    import subprocess

    code = "import sys; from vm.cli import main; main(['reproduce']); print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.slow
def test_a_table_is_printed_written_and_drawn(sbn, tmp_path):
    written, drawn = tmp_path / "table.csv", tmp_path / "picture.png"
    code, out, err = sbn(QUICK, "--csv", str(written), "--plot", str(drawn))
    assert code == 0
    rows = list(csv.reader(io.StringIO(written.read_text())))
    assert out.splitlines()[2].startswith(rows[0][0]) and len(rows) > 5
    assert drawn.read_bytes().startswith(b"\x89PNG")
    assert f"picture written to {drawn}" in err
    assert sbn(QUICK, "--csv", "-", "-q") == (0, written.read_text(), "")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("training-set",), "no experiment 'training-set'; did you mean 'training-sets'? (experiments: "),
        (("--csv", "-"), "name the experiment whose figures are to be written"),
        ((QUICK, "--csv", "/nowhere/to/write.csv"), "/nowhere/to/write.csv: there is no folder /nowhere/to"),
        ((QUICK, "--csv", "."), ". is a folder; name a file"),
        ((QUICK, "--plot", "picture.doc"), "the name must end with a type of picture, one of .avif"),
    ],
)
def test_what_cannot_be_measured_or_written_is_refused_before_anything_is_measured(sbn, arguments, said):
    code, out, err = sbn(*arguments)
    assert (code, out) == (2, "") and err.startswith("sbn: error: ") and said in err and err.count("\n") == 1


def test_a_picture_without_matplotlib_is_refused_with_what_to_install(sbn, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    code, _, err = sbn(QUICK, "--plot", "picture.png")
    assert (code, err) == (
        2,
        "sbn: error: --plot needs matplotlib; install it with pip install 'neural-sbn[plot]'\n",
    )


def test_a_row_that_does_not_fit_its_columns_is_refused():
    with pytest.raises(ValueError, match="a row of 1 cells under 2 columns"):
        Table("title", ("a", "b"), ((1,),))


def test_what_does_not_apply_is_a_dash_in_print_empty_in_csv_and_not_drawn():
    table = Table("title", ("a", "b"), (("x", None), ("y", 12345), ("z", 0.123456)))
    assert table.shown()[1:] == [("x", "-"), ("y", "12,345"), ("z", "0.123")] and table.numeric() == [1]
    assert table.as_csv() == "a,b\nx,\ny,12345\nz,0.123456\n"
    assert table.column("b") == [None, 12345, 0.123456]
    from vm.pictures import panels, style

    panel = Panel("t", "x", "y", (Curve("c", (1.0, 2.0), (None, 3.0)),), log="xy")
    assert style.as_file(panels.figure((panel, panel)), "svg", 100).startswith(b"<?xml")


@pytest.mark.parametrize("name", ["networks", "training-sets"])
def test_the_tables_in_the_chapter_are_what_the_command_prints(sbn, name):
    """Those that nothing is trained for; the others differ from machine to machine in their digits."""
    chapter = (Path(__file__).parent.parent / "docs" / "what_is_learned.md").read_text(encoding="utf-8").splitlines()
    _, out, _ = sbn(name)
    rows = out.split("\n\n")[1].splitlines()
    assert len(rows) > 15
    for row in rows:
        assert row in chapter
