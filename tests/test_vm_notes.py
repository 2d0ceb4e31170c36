"""What a run notes, and the stop where nothing can change any more."""

from pathlib import Path

import pytest

from assembler import assemble
from vm import Halt, Machine, cli
from vm.chunk import Chunk
from vm.console import running


def notes(text: str, max_steps: int = 2_000) -> list[str]:
    outcome = Machine(assemble(text, "t.sbn"), "native").run(max_steps)
    return [str(note) for note in outcome.notes]


def test_executing_data_is_noted_with_address_label_and_line() -> None:
    [said] = notes("mov =1, x\nx: .word 5")
    assert said == "t.sbn:2: step 4 executes the word at 12, `x`, which is data; did you forget `halt`?"


def test_leaving_the_program_is_noted() -> None:
    assert "outside of the program" in notes(".nostd\nsbn 0, 0")[0]


def test_a_program_that_ends_with_halt_is_not_noted() -> None:
    assert notes('call f\nhalt\nproc f\nputs ="x"\nendproc') == []


def test_a_return_without_a_call_and_a_recursion_without_an_end_are_noted_at_the_users_line() -> None:
    assert any(said.startswith("t.sbn:1: ") and "empty stack" in said for said in notes("ret\nhalt"))
    said = notes(".equ STACK, 9\nf: call f\nhalt", 300)[0]
    assert said.startswith("t.sbn:2: ") and "9 words of the stack" in said


@pytest.mark.parametrize("text", [".isa subleq\nl: subleq z, z, l\nz: .word 0", "mov =1, x\nl: jmp l\nx: .word 0"])
@pytest.mark.parametrize("check", [True, False])
def test_an_instruction_that_changes_nothing_and_goes_to_itself_is_a_stop(text: str, check: bool) -> None:
    machine = Machine(assemble(text, "t.sbn"), "native", check=check)
    outcome = machine.run()
    assert outcome.halt is Halt.STANDS_STILL
    assert outcome.message.startswith(f"stands still at pc {machine.pc} (t.sbn:2")
    assert outcome.steps == (1 if "subleq" in text else 5)
    again = machine.run()
    assert (again.halt, again.steps) == (Halt.STANDS_STILL, 0)


def test_a_budget_is_spent_where_a_machine_stands_still_and_the_message_says_that_it_does() -> None:
    machine = Machine(assemble("mov =1, x\nl: jmp l\nx: .word 0", "t.sbn"), "native")
    outcome = machine.run(50)
    assert (outcome.halt, outcome.steps) == (Halt.BUDGET, 50)
    assert outcome.message.startswith("the budget of 50 steps is spent at pc")
    assert outcome.message.endswith(
        f"it stands still at pc {machine.pc}: this instruction changes nothing and goes to itself"
    )


def test_a_halt_that_is_not_the_idiom_says_so() -> None:
    text = ".nostd\nsbn one, zero, {}\none: .word 1\nzero: .word 0"
    assert Machine(text.format(-2), "native").run().message == "halted at pc -2 (the idiom is -1)"
    assert Machine(text.format(-1), "native").run().message == "halted"


def test_a_number_written_as_a_byte_is_noted_once_and_not_where_the_input_had_that_byte() -> None:
    [said] = notes("out n\nout n\nhalt\nn: .word 5")
    assert said == "t.sbn:1: step 0 writes the byte 5, which no terminal shows; `putn a` writes a number in digits"
    assert notes("out ='5'\nout =10\nout =27\nhalt") == []
    echo = Machine(assemble("in c\nout c\nhalt\nc: .word 0", "t.sbn"), "native", input=b"\x05")
    assert echo.run().notes == ()


def test_the_end_of_the_input_written_as_a_byte_is_noted() -> None:
    [said] = notes("in c\nout c\nhalt\nc: .word 0")
    told = "writes the byte 255, as which -1 is written: reading gives -1 at the end of the input"
    assert said == f"t.sbn:2: step 1 {told}"


def test_a_program_that_does_not_look_for_the_end_of_its_input_is_noted() -> None:
    text = "again: in c\nadd c, n\njmp again\nc: .word 0\nn: .word 0"
    [said] = notes(text, 10_000)
    assert said.startswith("t.sbn:1: step ") and "at the end of the input for the 1,000th time" in said
    assert notes("for n, =1, =900\nin c\nend\nhalt\nc: .word 0\nn: .word 0", 30_000) == []


def test_the_notes_of_a_run_that_ctrl_c_ended_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.sbn").write_text("again: in c\njmp again\nc: .word 0\n")
    take = running.Execution._release

    def pressed(execution: running.Execution, chunk: Chunk) -> None:
        take(execution, chunk)
        if execution._steps > 3_000:
            raise KeyboardInterrupt

    monkeypatch.setattr(running.Execution, "_release", pressed)
    assert cli.main(["run", str(tmp_path / "t.sbn"), "--unit", "native", "--input-text", ""]) == 130
    note, summary = capfd.readouterr().err.splitlines()
    assert note.startswith("note: ") and "for the 1,000th time" in note
    assert summary.startswith("stopped: interrupted")


def test_messages_name_the_users_line_before_the_librarys() -> None:
    outcome = Machine(assemble("again: mov =1, x\njmp again\nx: .word 0", "t.sbn"), "native").run(2)
    assert "(t.sbn:1, in std.sbn:" in outcome.message
