"""A file to be written that names one that is read, or another that is written, is refused before anything happens."""

import io
import os
from pathlib import Path

import pytest

from vm.cli import main

PROGRAM = " sbn one, x, -1\none: .word 1\nx: .word 0\n"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("prog.sbn").write_text(f".include 'part.sbn'\n{PROGRAM}".replace("'", '"'))
    Path("part.sbn").write_text(" sbn x, x\n")
    Path("data.txt").write_text("1 2")
    Path("whole.sbn").write_text(".width 5\n.memory 16\n sbn 0, 0, -1\n")
    os.link("prog.sbn", "hard")
    os.symlink("prog.sbn", "soft")
    return tmp_path


RUN = ("run", "prog.sbn", "--unit", "native")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*RUN, "--trace", "prog.sbn"), "--trace prog.sbn: that is the program itself"),
        ((*RUN, "--trace", "./prog.sbn"), "that is the program itself"),
        ((*RUN, "--trace", "hard"), "that is the program itself"),
        ((*RUN, "--trace", "soft"), "that is the program itself"),
        ((*RUN, "--trace", "part.sbn"), "a source of the program"),
        ((*RUN, "--save-state", "prog.sbn"), "--save-state prog.sbn: that is the program itself"),
        ((*RUN, "--trace", "x", "--save-state", "x"), "--save-state x: that is the file of --trace, too"),
        ((*RUN, "--trace", "x", "--save-state", "../{folder}/x"), "that is the file of --trace, too"),
        ((*RUN, "--input", "data.txt", "--trace", "data.txt"), "that is its input"),
        ((*RUN, "--resume", "data.txt", "--trace", "data.txt"), "that is the file of --resume"),
        ((*RUN, "--trace", "no/x"), "--trace no/x: there is no folder no"),
        ((*RUN, "--trace", "."), ". is a folder"),
        (("run", "whole.sbn", "--whole", "--trace", "whole.sbn"), "that is the program itself"),
        (("asm", "prog.sbn", "-o", "prog.sbn"), "that is the program itself"),
        (("asm", "prog.sbn", "-o", "part.sbn"), "a source of the program"),
        (("reproduce", "capacity", "--csv", "x.svg", "--plot", "x.svg"), "that is the file of --csv, too"),
    ],
)
def test_an_output_that_would_destroy_a_file_is_refused(folder, capsys, arguments, words):
    from learned_units.experiments import EXPERIMENTS

    given = [next(iter(EXPERIMENTS)) if each == "capacity" else each.format(folder=folder.name) for each in arguments]
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert main(given) == 2
    said = capsys.readouterr().err
    assert words in said and said.startswith("sbn: error: ") and said.count("\n") == 1
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_snapshot_of_the_debugger_never_takes_the_place_of_the_program(folder, capsys, monkeypatch):
    typed = b"snapshot save prog.sbn\nsnapshot save part.sbn\nsnapshot save other\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed)))
    before = (folder / "prog.sbn").read_bytes(), (folder / "part.sbn").read_bytes()
    assert main(["debug", "prog.sbn", "--unit", "native"]) == 1
    said = capsys.readouterr().out
    assert "that is the program itself" in said and "a source of the program" in said and "is saved in other" in said
    assert before == ((folder / "prog.sbn").read_bytes(), (folder / "part.sbn").read_bytes())


def test_devices_may_be_named_twice_and_a_run_may_go_on_in_the_file_it_came_from(folder, capsys):
    assert main([*RUN, "--trace", os.devnull, "--save-state", os.devnull]) == 0
    assert main([*RUN, "--save-state", "state", "--max-steps", "1"]) == 1
    assert main([*RUN, "--resume", "state", "--save-state", "state"]) == 0
    capsys.readouterr()
