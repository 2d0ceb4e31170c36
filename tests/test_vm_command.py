"""`sbn run`: what it writes, and its exit code; and what any command refuses."""

import base64
import dataclasses
import json
import re
import time

import numpy as np
import pytest
from sbn_command import DECREMENTS, Sbn

import programs
from vm.console import chosen_unit, jax_setup

LOOP = "loop: sbn one, zero, loop\none: .word 1\nzero: .word 0\n"
READS = """
again:  sbn -1, x
        sbn one, x, -1          ; below 0, as the end of the input is: halt
        sbn x, -1
        sbn zero, zero
        sbn one, zero, again
one:    .word 1
zero:   .word 0
x:      .word 0
"""


@pytest.fixture
def sbn(capsysbinary, monkeypatch):
    return Sbn(capsysbinary, monkeypatch)


# --- run --------------------------------------------------------------------------------------------------------------


def test_a_run_ends_with_a_summary_of_what_was_computed_and_checked(sbn):
    assert sbn("run", "hello", "--unit", "ntk-limit") == 0
    assert sbn.out == b"Hello, world!\n"
    assert re.fullmatch(
        r"halted: 87 closed-form steps \(ntk-limit, 16-bit, closed form at infinite width, groups of 8\) "
        r"and 14 console steps, reference agrees on every step, smallest margin 1\.00, \d+\.\d s\n",
        sbn.err,
    )


def test_a_run_on_the_trained_unit_counts_learned_steps(sbn, unit_of):
    unit = unit_of("ntk")
    assert sbn("run", "fibonacci") == 0
    assert sbn.out == programs.sample_output("fibonacci")
    assert re.fullmatch(
        rf"halted: 2,145 learned steps \(ntk, 16-bit, {unit.detail}\) and 87 console steps, "
        r"reference agrees on every step, smallest margin 0\.\d\d, \d+\.\d s\n",
        sbn.err,
    )


def test_console_steps_are_not_mentioned_where_there_are_none(sbn, source):
    assert sbn("run", source(DECREMENTS), "--unit", "native") == 0
    assert sbn.err.startswith("halted: 3 native steps (native, 16-bit, integer arithmetic), reference agrees")
    assert "smallest margin -," in sbn.err


def test_quiet_says_nothing_of_a_run_that_went_well(sbn):
    assert sbn("run", "hello", "--unit", "native", "-q") == 0
    assert (sbn.out, sbn.err) == (b"Hello, world!\n", "")
    assert sbn("-q", "run", "hello", "--unit", "native") == 0
    assert sbn.err == ""


@pytest.mark.parametrize("name", ["adder", "reverse", "collatz", "hello_subleq"])
def test_bundled_programs_answer_their_samples(sbn, name):
    assert sbn("run", name, "--unit", "native", stdin=programs.sample_input(name)) == 0
    assert sbn.out == programs.sample_output(name)


def test_input_comes_from_a_file_or_from_the_command_line(sbn, source):
    assert sbn("run", "adder", "--unit", "native", "--input", source("1 2\n", "in.txt"), stdin=b"9 9\n") == 0
    assert sbn.out == b"3\n"
    assert sbn("run", "adder", "--unit", "native", "--input-text", "30 4\n", stdin=b"9 9\n") == 0
    assert sbn.out == b"34\n"


def test_a_program_from_stdin_reads_the_input_it_is_given(sbn):
    text = programs.source("cat").encode()
    assert sbn("run", "-", "--unit", "native", "--input-text", "ab", stdin=text) == 0
    assert sbn.out == b"ab"
    assert sbn("run", "-", "--unit", "native", stdin=text) == 0
    assert sbn.out == b""
    assert sbn("run", "-", "--unit", "native", "--input", "-", stdin=text) == 2


def test_more_input_than_any_buffer_holds_goes_through(sbn):
    data = np.random.default_rng(0).integers(0, 256, 200_000, np.uint8).tobytes()
    assert sbn("run", "cat", "--unit", "native", "--no-check", stdin=data) == 0
    assert sbn.out == data


def test_one_network_for_the_whole_word_is_asked_for_by_name(sbn, source):
    name = source(LOOP)
    for group in ("word", "8"):
        assert sbn("run", name, "--unit", "ntk-limit", "--width", "8", "--group", group, "--max-steps", "9") == 1
        assert "(ntk-limit, 8-bit, " in sbn.err


def test_a_spent_budget_says_how_to_go_on(sbn, source):
    name = source(LOOP)
    assert sbn("run", name, "--unit", "native", "--max-steps", "1_000") == 1
    assert sbn.err.startswith(
        f"stopped: the budget of 1,000 steps is spent at pc 0 ({name}:1); "
        "to continue, run again with a larger one; 1,000 native steps"
    )


def test_a_budget_that_is_just_enough_is_enough(sbn, source):
    name = source(DECREMENTS)
    assert sbn("run", name, "--unit", "native", "--max-steps", "3") == 0
    assert sbn("run", name, "--unit", "native", "--max-steps", "2") == 1


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 4, 5])
def test_a_budget_counts_steps_before_and_after_reading(sbn, steps):
    assert sbn("run", "cat", "--unit", "native", "--max-steps", str(steps), "--json", stdin=b"abcdef") == 1
    assert (json.loads(sbn.err)["halt"], json.loads(sbn.err)["steps"]) == ("budget", steps)


def test_a_bad_address_and_a_lost_pc_say_where(sbn, source):
    assert sbn("run", source(".memory 100\n sbn 0, 500\n", "bad.sbn"), "--unit", "native") == 1
    assert "stopped: bad address: the instruction at pc 0" in sbn.err and "bad.sbn:2)" in sbn.err
    assert sbn("run", source("sbn z, z, .+3\nz: .word 0\n", "short.sbn"), "--unit", "native", "--memory", "4") == 1
    assert sbn.err.startswith("stopped: pc 3 ")


def test_without_checking_nothing_is_claimed_of_the_reference(sbn):
    assert sbn("run", "hello", "--unit", "native", "--no-check") == 0
    assert "not compared with the reference" in sbn.err and "agrees" not in sbn.err


def test_json_tells_the_same_and_the_statistics(sbn):
    assert sbn("run", "hello", "--unit", "ntk-limit", "--json") == 0
    told = json.loads(sbn.err)
    assert (told["halt"], told["steps"], told["unit_steps"], told["console_steps"]) == ("halted", 101, 87, 14)
    assert (told["step_kind"], told["checked"], told["agrees"]) == ("closed-form", True, True)
    assert told["evaluations"] == 87 * told["evaluations_per_step"] > 0
    assert told["unit"]["name"] == "ntk-limit" and told["margin"] > 0.99
    assert sbn("run", "hello", "--unit", "native", "--json", "--no-check") == 0
    told = json.loads(sbn.err)
    assert told["margin"] is None and told["agrees"] is None


def test_statistics_say_what_was_computed_by_what(sbn):
    assert sbn("run", "hello", "--unit", "ntk-limit", "--stats") == 0
    for told in ("difference       closed form", "65,536 words", "8 evaluations a step, 696 in all", "steps/s"):
        assert told in sbn.err
    assert sbn.err.splitlines()[-1].startswith("halted: ")


def test_the_trace_has_a_row_for_each_step(sbn, source, tmp_path):
    trace = tmp_path / "trace.csv"
    name = source(READS)
    assert sbn("run", name, "--unit", "native", "--width", "8", "--trace", str(trace), "--input-text", "\1") == 0
    assert trace.read_text().splitlines() == [
        "step,pc,a,b,c,address,old,new,next_pc,margin",
        "0,0,255,17,3,17,0,1,3,-",
        "1,3,15,17,255,17,1,0,6,-",
        "2,6,17,255,9,255,-,0,9,-",
        "3,9,16,16,12,16,0,0,12,-",
        "4,12,15,16,0,16,0,255,0,-",
        "5,0,255,17,3,17,0,255,3,-",
        "6,3,15,17,255,17,255,254,255,-",
    ]


def test_the_trace_follows_code_that_changes_itself(sbn, tmp_path):
    trace = tmp_path / "trace.csv"
    assert sbn("run", "arraysum", "--unit", "ntk-limit", "--trace", str(trace)) == 0
    rows = [line.split(",") for line in trace.read_text().splitlines()[1:]]
    for row, following in zip(rows, rows[1:], strict=False):
        assert row[8] == following[1]
    for _, _, a, b, _, address, old, new, _, margin in rows:
        assert (margin == "-") == ("65535" in (a, b)) == (old == "-" or a == "65535")
        assert address == b and 0 <= int(new) < 1 << 16


def test_a_divergence_is_reported_and_fails(sbn, monkeypatch, unit_of):
    unit = unit_of("ntk-limit", 8)
    table = {name: params._replace(table=params.table.at[0].multiply(-1)) for name, params in unit.params.items()}
    broken = dataclasses.replace(unit, params=unit.params | {"difference": table["difference"]})
    monkeypatch.setattr(chosen_unit, "load", lambda *_: broken)
    assert sbn("run", "countdown") == 1
    assert re.match(r"step \d+ at pc \d+ \(countdown\.sbn:\d+\) differs\n  operands ", sbn.err)
    assert re.match(r"stopped: the unit and the reference disagree at step \d+, as reported", sbn.err.splitlines()[-1])
    assert sbn("run", "countdown", "--json") == 1
    told = json.loads(sbn.err.splitlines()[-1])
    assert (told["halt"], told["agrees"]) == ("diverged", False)


# --- names, files and options -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "helo"), "no file and no bundled program 'helo'; there is a bundled program hello"),
        (("run", "hello.sbn"), "hello.sbn: no such file; there is a bundled program hello"),
        (("run", "some/where"), "some/where: no such file"),
        (("run", "."), ".: Is a directory"),
        (("run", "hello", "--unit", "ntkk"), "unknown unit 'ntkk'; did you mean 'ntk'?"),
        (("run", "hello", "--unit", "native", "--group", "4"), "group is for the units 'ntk' and 'ntk-limit'"),
        (("run", "hello", "--unit", "ntk-limit", "--group", "0"), "group is 0"),
        (("run", "hello", "--unit", "ntk-limit", "--seed", "-1"), "seed is -1"),
        (("run", "hello", "--unit", "native", "--input", "nowhere"), "nowhere: No such file"),
        (("run", "hello", "--unit", "native", "--trace", "no/where"), "no/where: there is no folder no"),
        (("list", "hello", "--width", "99"), "not 99"),
        (("asm", "hello", "-o", "no/where.img"), "no/where.img: there is no folder no"),
        (("programs", "prime"), "no bundled program 'prime'; there is a bundled program primes"),
        (("explain", "100000", "1"), "minuend = 100000 does not fit a word of 16 bits"),
        (("explain", "1", "1", "--width", "65"), "word_bits is 65"),
        (("run", "adder", "--unit", "native", "--batch", "nowhere"), "nowhere: No such file"),
        (("run", "adder", "--batch", "-", "--trace", "t.csv"), "--trace is for one machine"),
        (("run", "adder", "--batch", "-", "--input-text", "1"), "--input-text is for one machine"),
        (("bench", "--plot", "p.svg"), "choose the size with --growth"),
        (("train", "native"), "nothing in the unit 'native' is trained"),
        (("train", "ntk", "--group", "65"), "group is 65"),
        (("train", "ntl"), "unknown unit 'ntl'; did you mean 'ntk'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_one_line_and_exit_code_2(sbn, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert sbn(*arguments) == 2
    assert sbn.err.startswith("sbn: error: ") and said in sbn.err
    assert sbn.err.count("\n") == 1 and sbn.out == b""


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("rum",),
        ("run",),
        ("run", "hello", "--max-steps", "-1"),
        ("run", "hello", "--isa", "x"),
        ("explain", "1.5", "2"),
    ],
    ids=" ".join,
)
def test_wrong_usage_shows_the_usage(sbn, arguments):
    assert sbn(*arguments) == 2
    assert sbn.err.startswith("usage: sbn") and sbn.out == b""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rnu", "hello"), "sbn: error: there is no command 'rnu'; did you mean 'run'?; `sbn --help` lists all"),
        (("hello",), "there is no command 'hello'; to run the program, say `sbn run hello`"),
        (
            ("run", "hello", "--max_steps", "5"),
            "sbn run: error: unrecognized arguments: --max_steps 5; did you mean '--max-",
        ),
        (("run", "hello", "--no-chek=1"), "unrecognized arguments: --no-chek=1; did you mean '--no-check'?"),
        (("--quite", "units"), "sbn units: error: unrecognized arguments: --quite; did you mean '--quiet'?"),
        (("picture", "hello"), "sbn picture: error: there is no command 'hello'; `sbn picture --help` lists all"),
        (
            ("picture", "step", "1", "2", "--sise=6x4"),
            "sbn picture step: error: unrecognized arguments: --sise=6x4; did",
        ),
        (("run", "hello", "--isa", "sbm"), "invalid choice: 'sbm'; did you mean 'sbn'? (choose from"),
        (("run",), "sbn run: error: the following arguments are required: FILE\n"),
        (("repl", "foo"), "sbn repl: error: unrecognized arguments: foo\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_says_what_was_likely_meant(sbn, arguments, said):
    assert sbn(*arguments) == 2
    assert said in sbn.err.splitlines(keepends=True)[-1] and sbn.out == b""


def test_a_batch_answers_its_lines_in_order(sbn, tmp_path, one_chunk):
    lines = tmp_path / "lines"
    lines.write_text("1 2\n30 4\n\n5 -6\n7 8")
    assert sbn("run", "adder", "--unit", "ntk-limit", "--batch", str(lines)) == 0
    assert sbn.out == b"3\n34\n0\n-1\n15\n"
    last = sbn.err.splitlines()[-1]
    assert last.startswith("halted: 5 of 5 machines (5 halted); ") and " closed-form steps (ntk-limit, 16-bit, " in last
    assert ", 5 replayed on the reference, smallest margin 1.00, " in last
    assert sbn("run", "adder", "--unit", "native", "--batch", str(lines), "--json", "--no-check") == 0
    told = [json.loads(line) for line in sbn.out.splitlines()]
    assert [(each["machine"], each["halt"], each["output"]) for each in told][3] == (3, "halted", "-1\n")
    account = json.loads(sbn.err)
    assert account["machines"] == {"asked": 5, "ended": 5, "halts": {"halted": 5}, "replayed": 0}
    assert (account["halt"], account["agrees"], account["pc"]) == ("halted", None, None)
    assert sbn("run", "hello", "--unit", "native", "--json") == 0
    assert json.loads(sbn.err).keys() == account.keys()
    assert sbn("run", "--whole", "multiply", "--unit", "ntk-limit", "--input-text", "6 7", "--json") == 0
    assert json.loads(sbn.err).keys() == account.keys()
    assert sbn("run", "adder", "--unit", "native", "--batch", str(lines), "--stats") == 0
    assert "machines         5 of 5 machines (5 halted)\n" in sbn.err and "steps/s\n" in sbn.err


def test_the_start_of_a_batch_counts_setting_up_jax_as_importing(sbn, tmp_path, monkeypatch):
    monkeypatch.setattr(jax_setup, "prepare", lambda: time.sleep(0.2))
    (tmp_path / "lines").write_text("1 2\n")
    assert sbn("run", "adder", "--unit", "native", "--batch", str(tmp_path / "lines"), "--json") == 0
    assert json.loads(sbn.err)["start_seconds"]["importing"] >= 0.2


def test_a_line_of_a_batch_ends_at_a_newline_only_and_any_output_can_be_had_back(sbn, tmp_path, one_chunk):
    lines = tmp_path / "lines"
    lines.write_bytes(b"a\rb\n\x0b\x0c\x85\xff\r\n\r\r\nlast\r")
    expected = [b"a\rb\n", b"\x0b\x0c\x85\xff\n", b"\r\n", b"last\r"]
    assert sbn("run", "cat", "--unit", "native", "--batch", str(lines)) == 0
    assert sbn.out == b"".join(expected)
    assert sbn("run", "cat", "--unit", "native", "--batch", str(lines), "--json") == 0
    told = [json.loads(line) for line in sbn.out.splitlines()]
    assert [base64.b64decode(each["output_base64"]) for each in told if "output_base64" in each] == [expected[1]]
    assert [each["output"].encode() for each in told if "output_base64" not in each] == [expected[k] for k in (0, 2, 3)]


def test_a_batch_fails_with_the_machines_that_did_not_halt(sbn, tmp_path):
    lines = tmp_path / "lines"
    lines.write_bytes(b"1 2\n" * 8)
    assert sbn("run", "adder", "--unit", "native", "--batch", str(lines), "--max-steps", "20") == 1
    assert sbn.err.count("the budget of 20 steps is spent at pc ") == 5  # the first ones are named, all are counted
    assert "stopped: 8 of 8 machines did not halt, the first of them reported above; 8 of 8" in sbn.err
    lines.write_bytes(b"")
    assert sbn("run", "adder", "--unit", "native", "--batch", str(lines)) == 0
    assert sbn.err == f"{lines} has no lines, so there is nothing to run\n"


def test_an_assembly_error_is_drawn(sbn, source):
    assert sbn("run", source("  sbn nowhere\n")) == 2
    assert "error: undefined label `nowhere`" in sbn.err and "^^^^^^^" in sbn.err
    assert "Traceback" not in sbn.err


def test_a_contradicted_option_is_an_error(sbn):
    assert sbn("run", "hello", "--width", "12") == 2
    assert sbn("run", "hello", "--isa", "subleq") == 2


def test_a_bundled_name_wins_over_a_folder_and_a_file_over_a_bundled_name(sbn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hello").mkdir()
    assert sbn("run", "hello", "--unit", "native") == 0
    (tmp_path / "hello").rmdir()
    (tmp_path / "hello").write_text(DECREMENTS)
    assert sbn("run", "hello", "--unit", "native") == 0
    assert sbn.out == b"" and "3 native steps" in sbn.err


def test_options_fill_in_what_words_leave_open(sbn, source):
    name = source("-1 3 0  0 0 -1", "words.dec")
    assert sbn("run", name, "--unit", "native", "--isa", "subleq", "--entry", "3", "--json") == 0
    assert json.loads(sbn.err)["steps"] == 1
    assert (
        sbn(
            "run",
            source("sbn -1, x\n sbn x, -1\n sbn one, x\n x: .word 65\none: .word 1"),
            "--unit",
            "native",
            "--input-mode",
            "add",
            "--input-text",
            "\2",
            "--max-steps",
            "2",
        )
        == 1
    )
    assert sbn.out == b"C"


def test_an_unexpected_error_is_one_line_unless_a_traceback_is_asked_for(sbn, monkeypatch):
    def fail(name, folder=""):
        raise ZeroDivisionError("out of order")

    monkeypatch.setattr(programs, "description", fail)
    assert sbn("programs") == 1
    assert sbn.err == "sbn: internal error: ZeroDivisionError: out of order; run again with --traceback\n"
    assert sbn("programs", "--traceback") == 1
    assert sbn.err.startswith("Traceback ") and sbn.err.endswith("run again with --traceback\n")


def test_the_version_names_jax_device_and_cache(sbn, trained_cache):
    assert sbn("--version") == 0
    told = dict(line.split(maxsplit=1) for line in sbn.text.splitlines())
    assert list(told) == ["sbn", "python", "jax", "device", "cache"]
    assert told["cache"] == str(trained_cache)
