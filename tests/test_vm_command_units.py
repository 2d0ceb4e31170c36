"""`sbn units`, `train`, `explain` and `demo`: what they say of a unit."""

import dataclasses
import json
import re

import pytest
from sbn_command import Sbn

from vm.console import chosen_unit

WEIGHTS = "weights"


@pytest.fixture
def sbn(capsysbinary, monkeypatch):
    return Sbn(capsysbinary, monkeypatch)


def test_units_says_what_is_learned_and_refuses_damaged_weights_by_name(sbn, unit_of, trained_cache):
    unit = unit_of("ntk")
    damaged = trained_cache / WEIGHTS / "ntk-g3-seed7.safetensors"
    damaged.write_bytes(b"not weights")
    try:
        assert sbn("units") == 0
    finally:
        damaged.unlink()
    assert re.search(r"^ntk \(default\) +learned +learned +learned +template matching", sbn.text, re.MULTILINE)
    assert re.search(r"^native +native +native +native +all$", sbn.text, re.MULTILINE)
    assert "ntk-g3-seed7.safetensors: refused: damaged" in sbn.text
    assert unit.tensor_hash in sbn.text
    assert "every input enumerated" in sbn.text


def test_units_fills_its_sentences_to_the_width_of_the_terminal(sbn, trained_cache, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert sbn("units") == 0
    sentences = sbn.text.partition("\nntk: ")[2].partition("Weights in ")[0]
    assert 50 < max(map(len, sentences.splitlines())) <= 60


@pytest.mark.slow
def test_train_prints_sizes_margins_and_where_the_weights_are(sbn, trained_cache):
    arguments = ("train", "ntk", "--group", "2", "--seed", "1")
    assert sbn(*arguments) == 0
    assert "training 'first'" in sbn.err.splitlines()
    path = trained_cache / WEIGHTS / "ntk-g2-seed1.safetensors"
    assert path.exists() and str(path) in sbn.text
    for network in ("first", "prefix", "difference", "select", "any"):
        assert re.search(rf"^{network} +2 x \d+ .*, all +\d\.\d\d$", sbn.text, re.MULTILINE)
    first = sbn.text
    assert sbn(*arguments) == 0
    assert (sbn.text, sbn.err) == (first, "these weights were trained and stored already; --force trains them again\n")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert sbn(*arguments, "-q") == 0
    assert sbn.err.count("weights refused") == 1 and "sbn: warning: " in sbn.err
    assert sbn.text == first
    assert sbn(*arguments, "-q", "--force") == 0
    assert (sbn.text, sbn.err) == (first, "")


@pytest.mark.slow
def test_explain_shows_each_decision_and_the_result(sbn):
    assert sbn("explain", "-5", "3", "--unit", "ntk-limit", "--width", "8") == 0
    lines = sbn.text.splitlines()
    assert lines[0].split() == "pass network output bit matched prediction threshold value margin".split()
    differences = [line.split() for line in lines if " difference " in line]
    assert [row[7] for row in differences] == [*"00011111"]  # -8, lowest bit first
    assert lines[-1].startswith("-5 - 3 = -8 (unsigned 248), next pc -1 (unsigned 255) (ntk-limit, 8-bit sbn); exact")
    assert "exact arithmetic agrees; smallest margin 1.0" in lines[-1]


def test_explain_takes_negative_numbers_in_every_base(sbn):
    assert sbn("explain", "-0x10", "0b11", "--unit", "native", "--target", "-0x2", "--isa", "subleq") == 0
    assert sbn.text.startswith("-16 - 3 = -19 (unsigned 65517), next pc -2 (unsigned 65534)")
    assert sbn("explain", "7", "-0o7", "--unit", "native", "--fall-through", "12") == 0
    assert sbn.text.startswith("7 - -7 = 14, next pc 12 ")


def test_only_explain_reads_arguments_as_numbers(sbn):
    assert sbn("run", "cat", "--unit", "native", "--input-text=-0x10") == 0
    assert sbn.out == b"-0x10"


def test_explain_as_json_holds_the_decisions(sbn, unit_of):
    assert sbn("explain", "5", "3", "--width", "8", "--unit", "ntk-limit", "--json") == 0
    told = json.loads(sbn.out)
    assert told["result"] == told["exact"] == {"difference": 2, "next_pc": 3}
    assert told["agrees"] and 0 < told["margin"] == min(each["margin"] for each in told["decisions"])


def test_explain_fails_where_exact_arithmetic_disagrees(sbn, monkeypatch, unit_of):
    unit = unit_of("ntk-limit", 8)
    params = {name: each._replace(table=each.table.at[0].multiply(-1)) for name, each in unit.params.items()}
    monkeypatch.setattr(chosen_unit, "load", lambda *_: dataclasses.replace(unit, params=params))
    assert sbn("explain", "5", "3", "--width", "8") == 1
    assert "exact arithmetic DISAGREES: 2, next pc 3" in sbn.text


@pytest.mark.slow
def test_the_demo_trains_proves_runs_and_breaks_the_unit(sbn, unit_of):
    unit_of("ntk")  # the shipped weights, which the demo does not take
    assert sbn("demo", "-q") == 0
    assert "1. Trained in" in sbn.text and "2,200,027 in all (while it was trained" in sbn.text.replace("\n", " ")
    assert sbn.text.count("agrees on every step") == 5
    assert re.search(r"The reference catches it at step \d+", sbn.text)
    assert sbn.err == ""
