"""`sbn certify`, and the certificate in a run's statistics."""

import json
import re

import pytest

from vm.cli import main


@pytest.fixture
def sbn(capsysbinary):
    """sbn(arguments): exit code, standard output and standard error, as text."""

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(arguments)
        except SystemExit as leaving:
            assert isinstance(leaving.code, int)
            code = leaving.code
        written = capsysbinary.readouterr()
        return code, written.out.decode(), written.err.decode()

    return run


def test_the_default_unit_is_certified_for_runs_of_any_length(sbn, unit_of):
    manifest = unit_of("ntk").manifest
    code, out, _ = sbn("certify", "--steps", "1000000000")
    assert code == 0
    assert re.search(r"^kind +exhaustive$", out, re.MULTILINE) and "failure  0 for a run of any length" in out
    assert "with these weights and this platform's float32" in " ".join(out.split())
    assert f"{manifest.verified.inputs:,} inputs" in out and manifest.tensor_hash in out


def test_failure_0_names_what_it_holds_for_and_what_is_learned_is_said_beside_it(sbn, trained_cache):
    _, _, err = sbn("run", "hello", "--stats")
    assert re.search(r"^failure +0 for these weights and this platform's float32, exhaustive: ", err, re.MULTILINE)
    _, out, _ = sbn("certify")
    assert "parts    difference learned, branch decision learned, next pc learned; native: template matching" in out
    _, out, _ = sbn("units")
    assert "holds for the weights with the hash shown and for this platform's float32" in out


def test_the_limit_is_certified_by_algebra_and_said_to_be_unlearned(sbn):
    code, out, _ = sbn("certify", "--unit", "ntk-limit", "--width", "32", "--isa", "subleq")
    assert code == 0 and "closed form, nothing learned" in out and re.search(r"^kind +algebraic$", out, re.MULTILINE)


def test_plain_ensembles_are_bounded_with_what_the_union_covers(sbn):
    _, out, _ = sbn("certify", "--unit", "ntk-limit", "--steps", "1000", "--networks", "244", "--delta", "0.01")
    rows = [re.split(r"  +", line) for line in out.splitlines()]
    needed = {(row[0], row[1]): row[2:] for row in rows if len(row) == 5}
    assert needed["calibrated, exact Gaussian", "1,000 steps"][:2] == ["112,000", "244"]
    assert 0.009 < float(needed["calibrated, exact Gaussian", "1,000 steps"][2]) <= 0.01
    assert needed["sign, exact Gaussian", "1,000 steps"][2] == "none below 1"
    assert {union for _, union in needed} == {"1,000 steps", "all inputs", "union over"}
    assert ["first", "64", "8", "24", "2", "48"] in rows


@pytest.mark.slow
def test_what_is_said_of_sampled_weights_is_called_an_estimate(sbn, unit_of, monkeypatch):
    import dataclasses

    from learned_units.store import Verified
    from vm.console import chosen_unit

    known = unit_of("ntk").manifest
    networks = {name: dataclasses.replace(each, z=6.0) for name, each in known.networks.items()}
    manifest = dataclasses.replace(known, networks=networks, verified=Verified(kind="inputs sampled", z=6.0))
    sampled = dataclasses.replace(unit_of("ntk"), manifest=manifest)
    monkeypatch.setattr(chosen_unit, "load", lambda *_: sampled)
    code, out, err = sbn("certify")
    assert code == 0 and "ESTIMATE of failure" in out and re.search(r"^kind +estimate$", out, re.MULTILINE)
    assert "not a probability over networks, not a bound" in out and "measuring z of 'first'" in err
    _, _, err = sbn("run", "hello", "--stats")
    assert re.search(r"^failure +1e-05, estimate: 9,744 decisions in 87 steps$", err, re.MULTILINE)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("--unit", "native"), "no bound is known for the unit 'native'"),
        (("--delta", "1"), "--delta is 1.0; it is a probability between 0 and 1"),
        (("--delta", "nan"), "--delta is nan"),
        (("--steps", "0"), "0 is less than 1"),
        (("--networks", "-1"), "-1 is less than 1"),
        (("--width", "3"), "word_bits is 3"),
    ],
)
def test_what_cannot_be_certified_is_refused(sbn, arguments, said):
    code, out, err = sbn("certify", *arguments)
    assert (code, out) == (2, "") and said in err


def test_the_statistics_of_a_run_state_its_certificate_with_its_kind(sbn):
    _, _, err = sbn("run", "hello", "--unit", "ntk-limit", "--stats")
    assert re.search(r"^failure +0, algebraic: every input", err, re.MULTILINE)
    _, _, err = sbn("run", "hello", "--unit", "native", "--stats")
    assert "failure" not in err
    _, _, err = sbn("run", "hello", "--unit", "ntk-limit", "--json")
    assert json.loads(err)["certificate"] == {"kind": "algebraic", "failure": 0.0}
