"""Control structures, which are macros that take a body, on both instruction sets."""

import pytest

from assembler import AssemblyError, assemble
from vm.reference import ReferenceMachine, Stop

both_sets = pytest.mark.parametrize("isa", ["sbn", "subleq"])
DATA = "halt\ni: .word 0\nj: .word 0\nx: .word 0\ny: .word 0\n"


def run(text: str, isa: str = "sbn", word_bits: int = 16) -> str:
    image = assemble(f"{text}\n{DATA}", "t.sbn", isa=isa, word_bits=word_bits)
    machine = ReferenceMachine(image.words, word_bits, isa, image.entry, len(image.words))
    assert machine.run(1_000_000).stop is Stop.HALTED
    return machine.output.decode()


def errors(text: str) -> list[tuple[str, str]]:
    """Place and words of each error."""
    with pytest.raises(AssemblyError) as caught:
        assemble(text, "t.sbn")
    return [(str(each.span), f"{each.message} / {each.help}") for each in caught.value.diagnostics]


RELATIONS = {"lt": int.__lt__, "le": int.__le__, "gt": int.__gt__, "ge": int.__ge__, "eq": int.__eq__, "ne": int.__ne__}


@both_sets
@pytest.mark.parametrize("relation", RELATIONS)
def test_conditions_compare_words_over_the_whole_range(relation, isa):
    for a, b in [(1, 2), (2, 1), (2, 2), (-32768, 32767), (32767, -32768), (-1, 0)]:
        printed = run(f'if ={a} {relation} ={b}\nputs "yes"\nelse\nputs "no"\nend', isa)
        assert printed == ("yes" if RELATIONS[relation](a, b) else "no"), (a, b)


@both_sets
def test_a_word_alone_is_true_unless_it_is_0_and_not_turns_that_round(isa):
    for value in 0, 1, -1, -32768:
        shown = run(f"if ={value}\nout ='t'\nend\nif not ={value}\nout ='f'\nend", isa)
        assert shown == ("t" if value else "f")


@both_sets
def test_loops_count(isa):
    assert run("while x lt =3\nputn x\ninc x\nend", isa) == "012"
    assert run("while x gt =3\nputn x\nend", isa) == ""
    assert run("repeat\nputn x\ninc x\nuntil x eq =3", isa) == "012"
    assert run("repeat\nputn x\nuntil not x", isa) == "0"
    assert run("for i, =1, =5\nputn i\nend", isa) == "12345"
    assert run("for i, =3, =1, -1\nputn i\nend", isa) == "321"
    assert run("for i, =0, =10, 3\nputn i\nout =' '\nend", isa) == "0 3 6 9 "
    assert run("for i, =9, =-1, -4\nputn i\nout =' '\nend", isa) == "9 5 1 "
    assert run("for i, =2, =1\nputn i\nend\nfor i, =1, =2, -1\nputn i\nend", isa) == ""


@both_sets
def test_a_for_loop_ends_at_the_edges_of_a_word(isa):
    assert run("for i, =32766, =32767\nputn i\nend", isa) == "3276632767"
    assert run("for i, =-32767, =-32768, -1\nputn i\nend", isa) == "-32767-32768"
    assert run("for i, =32760, =32767, 5\nputn i\nend", isa) == "3276032765"
    assert run("for i, =-32760, =-32768, -5\nputn i\nend", isa) == "-32760-32765"


@both_sets
def test_break_and_continue_mean_the_innermost_loop(isa):
    text = "for i, =1, =3\nfor j, =1, =9\nif j eq =2\ncontinue\nend\nif j gt =3\nbreak\nend\nputn j\nend\nputn i\nend"
    assert run(text, isa) == "131132133"
    assert run("while =1\ninc x\nif x eq =4\nbreak\nend\nend\nputn x", isa) == "4"
    assert run("repeat\ninc x\nif x lt =4\ncontinue\nend\nbreak\nuntil x gt =9\nputn x", isa) == "4"


@both_sets
def test_a_routine_is_called_returns_early_and_returns_at_its_end(isa):
    routine = "halt\nproc show\nif x\nputn x\nreturn\nend\nout ='-'\nendproc"
    assert run(f"call show\ninc x\ncall SHOW1\n{routine}\nproc SHOW1\ncall show\nendproc", isa) == "-1"


def test_labels_of_a_body_are_those_of_the_place_it_is_written_in():
    assert run("while x lt =2\ninc x\nmiddle: putn x\nend\nif x eq =2\nmov =9, x\njmp middle\nend") == "129"


def test_a_block_takes_labels_in_front_of_its_words():
    assert run("jmp e\nif x\nout ='n'\ne: else\nout ='n'\nend\nout ='y'") == "y"


def test_blocks_nest_two_hundred_deep_and_no_deeper():
    deep = "if not x\n" * 200 + "out ='!'\n" + "end\n" * 200
    assert run(deep) == "!"
    assert "200 deep" in errors("if x\n" + deep + f"end\n{DATA}")[0][1]


def test_blocks_work_in_macros_and_macros_in_blocks():
    text = ".macro stars n\nfor i, =1, n\nout ='*'\nend\n.endm\n.macro stop\nbreak\n.endm\n"
    assert run(f"{text}while =1\nstars =3\nif x\nstop\nend\ninc x\nend") == "******"
    assert run(".rept 2, k\nif x eq =k\nputn =k\nend\ninc x\n.endr") == "01"


def test_a_program_makes_block_macros_of_its_own():
    text = (
        ".macro unless c\n.part otherwise, parted\n.when c, other\n.body\n.if parted\njmp done\nother: .body otherwise"
        "\ndone:\n.else\nother:\n.endif\n.endm\n"
        ".macro forever\n.close again\n.exit leave, out\nback: .body\njmp back\nout:\n.endm\n"
    )
    assert run(f"{text}unless x\nout ='0'\nend\nunless not x\nout ='a'\notherwise\nout ='b'\nend") == "0b"
    assert run(f"{text}forever\ninc x\nunless x lt =3\nleave\nend\nagain\nputn x") == "3"


def test_a_condition_goes_through_macros():
    text = ".macro when2 c\n.keeps c\nif c\nout ='y'\nend\n.endm\n.macro when3 c\nwhen2 c\n.endm\n"
    assert run(f"{text}when3 x lt =1\nwhen3 x gt =1\nwhen3 not x\nwhen3 x\nwhen3 =1") == "yyy"


def test_a_macro_of_the_program_changes_nothing_in_the_control_structures():
    image = assemble(f".macro jge a, b, L\nhalt\n.endm\n.macro jmp L\nhalt\n.endm\nwhile x lt =3\ninc x\nend\n{DATA}")
    assert [note.message for note in image.notes] == [
        "the macro `jge` hides the standard macro of that name",
        "the macro `jmp` hides the standard macro of that name",
    ]
    machine = ReferenceMachine(image.words, 16, "sbn", 0, len(image.words))
    machine.run(1000)
    assert machine.memory[image.symbols["x"]] == 3


def test_words_of_a_body_are_its_own_lines_and_those_of_a_block_are_its_callers():
    image = assemble(f"while x lt =3\n  inc x\nend\n{DATA}", "t.sbn")
    assert image.source_map is not None
    lines = [origin.calls[-1] if origin.calls else origin for run in image.source_map for origin in [run.origin]]
    assert [origin.line for origin in lines[:2]] == [1, 1]
    assert 2 in {origin.line for origin in lines} and {origin.file for origin in lines} == {"t.sbn"}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("if x\nhalt\nx: .word 0", "1:1", "this `if` has no `end`"),
        ("halt\nend", "2:1", "`end` closes no block"),
        ("halt\nelse", "2:1", "`else` parts no block"),
        ("halt\nuntil x\nx: .word 0", "2:1", "`until` closes no block"),
        ("break", "1:1", "`break` can only stand in the body of"),
        (
            "while x\nrepeat\nend\nhalt\nx: .word 0",
            "3:1",
            "`repeat` at t.sbn:2:1 is still open, and `until` closes",
        ),
        ("while x\n.if 1\nend\n.endif\nhalt\nx: .word 0", "1:1", "3:1"),
        ("if x < 5\nend\nx: .word 0", "1:4", "`lt` for `<`"),
        ("if x && x\nend\nx: .word 0", "1:4", "one `if` into another"),
        ("if x lt y z\nend", "1:11", "expected `,`"),
        ("if x\nelse\nelse\nend\nx: .word 0", "3:1", "second `else`"),
        ("if x\nend x\nx: .word 0", "2:1", "takes no operand"),
        ("repeat\nuntil\nhalt", "2:1", "`until` takes `c`"),
        ("while x\nbreak x\nend\nx: .word 0", "2:7", "takes no operand"),
        ("proc =5\nendproc", "1:6", "a name is needed"),
        ("proc f\nendproc\nf: halt", "3:1", "the first definition is at t.sbn:1:6"),
        ("add x lt y, x\nx: .word 0\ny: .word 0", "1:5", "a condition has none"),
        (".body", "1:1", "`.body` can only stand in a macro"),
        (".label x", "1:8", "`.label` takes a parameter"),
        (".nostd\n.macro m c\n.when c, -1\n.endm\nm x\nx: .word 0", "3:1", "`.nostd` leaves out"),
        ("for i, =1, =5, 0\nend\ni: .word 0", "", "the step of `for`"),
        ("for i, =1, =5, =2\nend\ni: .word 0", "1:16", "a number is needed here, `2`"),
    ],
)
def test_what_is_wrong_with_a_block_is_told_with_its_place(text, place, words):
    told = errors(text)
    assert any(where.startswith(f"t.sbn:{place}") and words in said for where, said in told) or (
        not place and any(words in said for _, said in told)
    ), told
