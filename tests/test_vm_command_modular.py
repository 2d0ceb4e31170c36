"""`sbn modular`, and the unit `modular` on the command line."""

import json

import pytest

from vm.cli import main


@pytest.fixture
def sbn(capsysbinary):
    """sbn(arguments): exit code, standard output and standard error, as text."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        written = capsysbinary.readouterr()
        return code, written.out.decode(), written.err.decode()

    return run


def test_with_values_the_experts_are_asked_for_the_answer(sbn):
    code, out, _ = sbn("modular", "3a^2 b + 5b + 7 mod 97", "a=4", "b=9")
    assert code == 0
    *experts, empty, closing = out.splitlines()
    assert [line.split()[0] for line in experts] == ["expert", "e1", "e2", "e3"] and not empty
    assert "a^2 b" in experts[1] and "3 e1 + 5 b" in experts[2] and "e2 + 7" in experts[3]
    assert closing.startswith(
        "3a^2 b + 5b + 7 mod 97 at a = 4, b = 9 is 96; integer arithmetic agrees; 3 analytic experts, 768 units"
    )
    assert (
        sbn("modular", "-a + b mod 12", "a=-5", "b=+4", "-q")[1]
        .splitlines()[-1]
        .startswith("-a + b mod 12 at a = -5, b = 4 is 9; integer arithmetic agrees; 1 analytic expert, ")
    )


def test_without_values_the_whole_table_is_verified(sbn):
    code, out, _ = sbn("modular", "(a + b)^2 c mod 23")
    assert code == 0
    assert "(a + b)^2 c mod 23: all 12,167 rows of the table are right; 2 analytic experts, " in out


def test_a_constant_needs_no_expert(sbn):
    said = "3*4 mod 7 is 5; integer arithmetic agrees; no expert is needed\n"
    assert sbn("modular", "3*4 mod 7", "-q") == (0, said, "")


def test_json_says_the_same(sbn):
    code, out, _ = sbn("modular", "a b + 2 mod 7", "a=3", "b=5", "--json")
    told = json.loads(out)
    assert code == 0 and (told["result"], told["exact"], told["agrees"]) == (3, 3, True)
    assert told["values"] == {"a": 3, "b": 5} and told["weights"] == "analytic" and told["modulus"] == 7
    assert [(each["computes"], each["answer"]) for each in told["experts"]] == [("a b", 1), ("e1 + 2", 3)]
    assert told["units"] == sum(each["units"] for each in told["experts"])
    assert told["margin"] == min(each["margin"] for each in told["experts"]) > 0.1
    verified = json.loads(sbn("modular", "a b + 2 mod 7", "--json")[1])
    assert (verified["rows"], verified["wrong"], verified["agrees"]) == (49, 0, True)


def test_experts_that_err_are_reported_with_exit_code_1(sbn, monkeypatch):
    import numpy as np

    from learned_units.modular import polynomials

    right = polynomials.network_of

    def shuffled(apply, modulus):
        network = right(apply, modulus)
        return network._replace(outer=np.roll(np.asarray(network.outer), 1, axis=1))

    monkeypatch.setattr(polynomials, "network_of", shuffled)
    code, out, _ = sbn("modular", "a + b mod 7")
    assert code == 1 and "a + b mod 7: 49 of 49 rows of the table are WRONG" in out
    code, out, _ = sbn("modular", "a + b mod 7", "a=1", "b=2")
    assert code == 1 and "is 4; integer arithmetic says 3" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a b mod 12",), "a product needs a prime modulus, and 12 is not prime\n  a b mod 12\n  ^^^\n"),
        (("a^99999 mod 7",), "a power of 99,999; powers go up to 10,000\n  a^99999 mod 7\n    ^^^^^\n"),
        (("a + * b mod 7",), "'*' cannot stand here\n  a + * b mod 7\n      ^\n"),
        (("a + b mod 7", "c=1"), "'c' is not in the polynomial (variables: a, b)\n"),
        (("3 mod 7", "a=1"), "'a' is not in the polynomial (it has no variables)\n"),
        (
            ("a + b mod 7", "a=1"),
            "no value for b; give one for each variable, or none at all to verify the whole table\n",
        ),
        (("a + b mod 7", "a=1", "a=2"), "'a' is given twice\n"),
        (("a + b mod 7", "a"), "'a' does not give a variable a value; write NAME=N, such as a=4\n"),
        (("a + b mod 7", "a=x", "b=1"), "'a=x' does not give a variable a value; write NAME=N, such as a=4\n"),
        (("a + b + c + d mod 97",), "has 88,529,281 rows, more than 2,000,000; give values, as in `a=1`\n"),
        (("a mod 4000",), "the modulus is 4,000; it may be at most 512\n"),
    ],
)
def test_what_cannot_be_computed_is_refused_in_a_line(sbn, arguments, said):
    code, out, err = sbn("modular", *arguments, "-q")
    assert (code, out) == (2, "")
    assert err.startswith("sbn: error: ") and err.endswith(said)


def test_a_program_runs_on_grokked_and_on_analytic_weights(sbn):
    for weights, kind in (("grokked", "learned"), ("analytic", "analytic")):
        code, out, err = sbn("run", "hello", "--unit", "modular", "--weights", weights, "--input-text", "")
        assert (code, out) == (0, "Hello, world!\n")
        closing = err.splitlines()[-1]
        assert closing.startswith(f"halted: 87 {kind} steps (modular, 16-bit, one {weights} expert of 256 units, ")
        assert "reference agrees on every step" in closing


@pytest.mark.slow
def test_the_debugger_changes_to_the_unit_and_from_it(sbn, monkeypatch):
    import io
    import sys

    script = "step 5\nunit modular\nstep 5\nexplain 5 9\nunit native\nstep 5\nboth modular\ncontinue\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(script.encode())))
    code, out, _ = sbn("debug", "hello", "--unit", "modular", "--weights", "analytic")
    assert code == 0
    assert "modular computes from step 5 on (analytic)" in out
    assert "a - b mod 32" in out and "native computes from step 10 on (native)" in out


@pytest.mark.slow
def test_training_and_the_list_of_units_say_what_was_never_trained_on(sbn):
    code, out, _ = sbn("train", "modular")
    assert code == 0 and "512 of 1,024" in out and "1,024, all" in out and "were never trained on" in out
    code, out, _ = sbn("units")
    assert code == 0 and "modular-seed0.safetensors: any word width, seed 0, 256 units" in out
    assert "borrow threading, zero test" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "hello", "--unit", "modular", "--weights", "guessed"), "unknown weights 'guessed'"),
        (
            ("run", "hello", "--unit", "native", "--weights", "analytic"),
            "weights is for the units 'ntk', 'neural-gpu' and 'modular'",
        ),
        (("run", "hello", "--unit", "modular", "--group", "8"), "group is for the units 'ntk' and 'ntk-limit'"),
        (("train", "modular", "--group", "8"), "group is for the units 'ntk' and 'ntk-limit'"),
    ],
)
def test_options_that_fit_no_such_unit_are_refused(sbn, arguments, said):
    code, out, err = sbn(*arguments)
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1
