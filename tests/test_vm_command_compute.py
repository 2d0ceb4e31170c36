"""`sbn compute`: what is typed, what is answered, and what is refused."""

import json

import pytest
from marks import slow

RESULTS = [
    ("add", "200", "100", 8, 300),
    ("add", "255", "-128", 8, 127),
    ("add", "-128", "-128", 8, -256),
    ("add", "0xFF", "0b11", 8, 258),
    ("add", "0", "0", 1, 0),
    ("subtract", "3", "0x10", 8, -13),
    ("subtract", "255", "-128", 8, 383),
    ("subtract", "-128", "255", 8, -383),
    ("subtract", "5", "5", 8, 0),
    ("multiply", "-8", "-8", 4, 64),
    ("multiply", "-8", "15", 4, -120),
    ("multiply", "15", "15", 4, 225),
    ("multiply", "-0x3", "0", 4, 0),
]


@pytest.mark.parametrize(("task", "first", "second", "bits", "result"), RESULTS)
@pytest.mark.parametrize("unit", ["native", *slow("ntk-limit")])
def test_results_are_exact_integers_with_their_sign(task, first, second, bits, result, unit, sbn):
    code, out, _ = sbn("compute", task, first, second, "--bits", str(bits), "--unit", unit, "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["result"], told["exact"], told["agrees"]) == (result, result, True)
    assert (told["evaluations"] > 0) == (told["passes"] > 0) == (unit != "native")
    assert (told["margin"] is None) == (unit == "native")


@pytest.mark.parametrize(
    ("bits", "permutation", "result"),
    [
        ("10110", "4,3,2,1,0", "01101"),
        ("100", "1,2,0", "010"),  # bit 0 goes to place 1
        ("1000", "rotate:1", "0100"),
        ("1000", "rotate:-1", "0001"),
        ("0x2C", "reverse", "00110100"),
        ("1010_0000", "random:3", None),
        ("1", "0", "1"),
    ],
)
@pytest.mark.parametrize("group", ["8", "word"])
def test_permutations_count_from_the_left(bits, permutation, result, group, sbn):
    given = ("compute", "permute", bits, permutation, "--unit", "ntk-limit", "--group", group, "--json")
    code, out, _ = sbn(*given)
    told = json.loads(out)
    assert code == 0
    assert told["result"] == told["exact"] and told["agrees"]
    if result is not None:
        assert told["result"] == result
    moved = [""] * len(told["permutation"])
    for bit, place in zip(told["operands"][0], told["permutation"], strict=True):
        moved[place] = bit
    assert told["result"] == "".join(moved)


def test_the_default_is_the_trained_unit_and_says_how_it_came_about(sbn):
    code, out, _ = sbn("compute", "add", "200", "100", "--bits", "8")
    assert code == 0
    first, second = out.splitlines()
    assert first == "200 + 100 = 300 (ntk, operands of 8 bits); exact arithmetic agrees"
    assert second.startswith("3 passes, 6 learned network evaluations, smallest margin 0.")
    assert second.endswith("every input verified")


def test_the_paper_design_with_its_readout(sbn):
    given = ("compute", "multiply", "5", "6", "--bits", "3", "--group", "word", "--readout", "sign")
    code, out, _ = sbn(*given, "--unit", "ntk-limit")
    assert code == 0
    assert "5 * 6 = 30" in out
    assert "45 passes, 45 closed-form network evaluations" in out
    assert "sign readout" in out
    code, out, err = sbn(*given)
    assert (code, out) == (2, "")
    assert "--readout sign is for --unit ntk-limit" in err


def test_a_wrong_network_is_told_and_fails(sbn, monkeypatch):
    from vm.command import compute

    monkeypatch.setitem(compute.UNITS, "ntk", lambda question: compute.Answer(299, "learned", 3, 6, 0.1, "noise"))
    code, out, _ = sbn("compute", "add", "200", "100", "--bits", "8")
    assert code == 1
    assert "exact arithmetic DISAGREES: 300" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "70000", "1"), "70000 does not fit 16 bits (-32768 .. 65535)"),
        (("add", "1", "-9", "--bits", "4"), "-9 does not fit 4 bits (-8 .. 15)"),
        (("add", "x", "1"), "'x' is not a number"),
        (("add", "1.5", "1"), "'1.5' is not a number"),
        (("add", "1", "1", "--unit", "nkt"), "unknown unit 'nkt'"),
        (("add", "1", "1", "--bits", "1025"), "networks of 'add' take operands of up to 1,024 bits, not 1,025"),
        (("add", "1", "1", "--bits", "9999999999"), "operands have up to 1,000,000 bits"),
        (("multiply", "1", "1", "--bits", "65"), "up to 64 bits"),
        (("multiply", "1", "1", "--bits", "9", "--group", "word"), "is trained for up to 8 bits, not 9"),
        (("subtract", "1", "1", "--group", "word"), "--group word is for permute, add and multiply"),
        (("add", "1", "1", "--group", "4"), "--group is 4; here it is 8, or `word` for one network"),
        (("permute", "102", "0,1,2"), "'102' is not a string of bits"),
        (("permute", "", "0"), "'' is not a string of bits"),
        (("permute", "101", "0,1"), "the permutation has 2 numbers for 3 bits"),
        (("permute", "101", "0,0,1"), "each of 0 .. 2 once; 2 is missing"),
        (("permute", "101", "backwards"), "'backwards' is not a permutation"),
        (("permute", "101", "rotate:x"), "'rotate:x' is not a permutation"),
        (("permute", "101", "reverse", "--bits", "4"), "101 has 3 bits, not the 4 of --bits"),
        (("permute", "1" * 65, "reverse"), "up to 64 bits, not 65"),
    ],
)
def test_what_cannot_be_computed_is_refused_in_one_line(arguments, message, sbn):
    code, out, err = sbn("compute", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


# --- by the Neural GPU ------------------------------------------------------------------------------------------------


def test_the_neural_gpu_subtracts_numbers_far_longer_than_it_was_trained_on(sbn, unit_of):
    unit_of("neural-gpu")
    first, second = 3**200, 7**110
    given = ("compute", "subtract", str(first), str(second), "--bits", "400", "--unit", "neural-gpu")
    code, out, _ = sbn(*given, "--json")
    told = json.loads(out)
    assert code == 0 and told["agrees"] and told["result"] == first - second
    assert (told["kind"], told["evaluations"], told["passes"]) == ("learned", 1, 1)
    code, out, _ = sbn(*given)
    assert code == 0 and "trained on numbers of up to 20 bits" in out


@pytest.mark.slow
@pytest.mark.parametrize(("task", "exact"), [("add", int.__add__), ("multiply", int.__mul__)])
def test_the_neural_gpu_adds_and_multiplies_far_longer_numbers(task, exact, sbn):
    first, second = 3**70, -(7**35)
    code, out, _ = sbn("compute", task, str(first), str(second), "--bits", "120", "--unit", "neural-gpu", "--json")
    assert code == 0 and json.loads(out)["result"] == exact(first, second)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("permute", "0110", "reverse"), "has not learned permutations"),
        (("add", "1", "1", "--group", "word"), "--group word and --readout are for the units ntk and ntk-limit"),
    ],
)
def test_what_the_neural_gpu_cannot_do_is_refused(given, words, sbn):
    code, _, err = sbn("compute", *given, "--unit", "neural-gpu")
    assert code == 2 and words in err
