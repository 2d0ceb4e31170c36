"""The checker replays steps on the reference: it agrees with what is right and finds the first thing that is not."""

import pytest

from vm.lockstep import BLOCK, Checker, Mismatch
from vm.reference import ReferenceMachine, Stop

# 0: sbn one, n, -1 · 3: sbn zero, zero · 6: sbn one, zero, 0
COUNTDOWN = [9, 11, -1, 10, 10, 6, 9, 10, 0, 1, 0, 4]
STEPS = 13


def boot(words=COUNTDOWN, **options) -> ReferenceMachine:
    return ReferenceMachine(words, memory_size=16, **options)


def recorded(steps: int, words=COUNTDOWN, **options) -> dict:
    """What an honest machine would record of its first steps."""
    machine = boot(words, **options)
    run = machine.run(steps)
    return {"pcs": run.pcs, "addresses": run.addresses, "words": run.words, "next_pc": machine.pc}


def test_an_honest_record_agrees():
    checker = Checker(boot())
    assert checker.advance(**recorded(STEPS)) is None
    assert checker.agrees_to_stop(Stop.HALTED)


@pytest.mark.parametrize("cut", range(STEPS + 1))
def test_an_honest_record_agrees_in_chunks(cut):
    whole, first = recorded(STEPS), recorded(cut)
    checker = Checker(boot())
    assert checker.advance(**first) is None
    rest = {name: whole[name][cut:] for name in ("pcs", "addresses", "words")}
    assert checker.advance(**rest, next_pc=whole["next_pc"]) is None


@pytest.mark.parametrize("step", range(STEPS))
@pytest.mark.parametrize("column", ["addresses", "words"])
def test_a_wrong_address_or_word_is_found_at_its_step(column, step):
    record, right = recorded(STEPS), recorded(STEPS)
    record[column][step] ^= 1
    expected_next = [*right["pcs"][1:], right["next_pc"]][step]
    expected = Mismatch(step, right["pcs"][step], right["addresses"][step], right["words"][step], expected_next)
    assert Checker(boot()).advance(**record) == expected


@pytest.mark.parametrize("step", range(1, STEPS))
def test_a_wrong_branch_is_found_at_the_step_that_took_it(step):
    record, right = recorded(STEPS), recorded(STEPS)
    record["pcs"][step] += 3
    found = Checker(boot()).advance(**record)
    assert found is not None
    assert (found.offset, found.pc, found.next_pc) == (step - 1, right["pcs"][step - 1], right["pcs"][step])


def test_a_wrong_branch_at_the_end_of_a_chunk_is_found():
    record = recorded(5)
    found = Checker(boot()).advance(**{**record, "next_pc": record["next_pc"] + 3})
    assert found is not None
    assert (found.offset, found.next_pc) == (4, record["next_pc"])


def test_a_chunk_that_begins_elsewhere_than_the_last_one_ended_is_found():
    record = recorded(5)
    record["pcs"][0] = 3
    found = Checker(boot()).advance(**record)
    assert found is not None
    assert (found.offset, found.pc) == (0, 3)


def test_the_first_of_several_faults_is_reported():
    record = recorded(STEPS)
    for step in (9, 4, 7):
        record["words"][step] ^= 2
    found = Checker(boot()).advance(**record)
    assert found is not None and found.offset == 4


def test_steps_behind_the_end_are_found():
    record = recorded(STEPS)
    longer = {name: [*record[name], record[name][-1]] for name in ("pcs", "addresses", "words")}
    found = Checker(boot()).advance(**longer, next_pc=record["next_pc"])
    assert found is not None and found.offset >= STEPS - 1


@pytest.mark.parametrize("stop", [Stop.HALTED, Stop.PC_OUTSIDE, Stop.BAD_ADDRESS])
def test_stopping_too_early_or_for_another_reason_is_found(stop):
    checker = Checker(boot())
    checker.advance(**recorded(5))
    assert not checker.agrees_to_stop(stop)
    halted = Checker(boot())
    halted.advance(**recorded(STEPS))
    assert halted.agrees_to_stop(stop) == (stop is Stop.HALTED)


def test_the_first_differing_address_of_whole_memories_is_found():
    checker = Checker(boot())
    checker.advance(**recorded(STEPS))
    machine = boot()
    machine.run(STEPS)
    assert checker.differing_address(machine.memory) is None
    machine.memory[14] += 1
    machine.memory[15] += 1
    assert checker.differing_address(machine.memory) == 14


def test_input_may_be_appended_between_chunks():
    echo = [0xFFFF, 0xFFFF, 0] * 3
    checker = Checker(boot(echo))
    checker.append_input(b"a")
    assert checker.advance([0], [0xFFFF], [97], 3) is None
    checker.append_input(b"b")
    found = checker.advance([3], [0xFFFF], [99], 6)
    assert found == Mismatch(0, 3, 0xFFFF, 98, 6)


@pytest.mark.parametrize("step", range(STEPS + 1))
def test_before_a_step_is_the_state_just_before_it(step):
    checker = Checker(boot(input=b"xyz"))
    checker.advance(**recorded(STEPS))
    before, expected = checker.before(step), boot(input=b"xyz")
    expected.run(step)
    assert (before.steps, before.pc, before.memory) == (step, expected.pc, expected.memory)
    assert (before.input, before.input_position, before.output) == (b"xyz", 0, b"")


def test_going_back_far_replays_in_blocks():
    endless = [12, 13, 3, 9, 10, 0, 0, 0, 0, 0, -1, 0, 1, 0]  # 13 counts down; -1 - 0 is negative: back to 0
    before, again = Checker(boot(endless)).before(2 * BLOCK + 7), boot(endless)
    again.run(2 * BLOCK + 7)
    assert (before.steps, before.memory, before.pc) == (2 * BLOCK + 7, again.memory, again.pc)
    assert before.memory[13] == 2**16 - (BLOCK + 4) % 2**16


def test_going_back_does_not_disturb_the_replay():
    checker = Checker(boot())
    checker.advance(**recorded(5))
    checker.before(3).run(100)
    whole = recorded(STEPS)
    rest = {name: whole[name][5:] for name in ("pcs", "addresses", "words")}
    assert checker.advance(**rest, next_pc=whole["next_pc"]) is None
