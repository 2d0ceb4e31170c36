"""The standard macros for the stack and the console, on both instruction sets."""

import random

import pytest

from assembler import AssemblyError, assemble
from vm.reference import ReferenceMachine, Stop

SEED = random.SystemRandom().getrandbits(32)
both_sets = pytest.mark.parametrize("isa", ["sbn", "subleq"])


def run(text: str, isa: str, word_bits: int = 16, data: bytes = b"") -> bytes:
    """The output of a program, which must halt."""
    image = assemble(text, isa=isa, word_bits=word_bits)
    machine = ReferenceMachine(image.words, word_bits, isa, image.entry, len(image.words), input=data)
    run = machine.run(1_000_000)
    assert run.stop is Stop.HALTED, (run.stop, run.bad_address)
    return bytes(machine.output)


def edges(word_bits: int) -> list[int]:
    top = 1 << word_bits - 1
    powers = [10**k for k in range(20) if 10**k < top]
    some = random.Random(f"{SEED} {word_bits}")
    numbers = {0, top - 1, -top, 1 - top, *powers, *(p - 1 for p in powers), *(top // p * p for p in powers)}
    numbers |= {some.randrange(-top, top) for _ in range(20)}
    return sorted(n for n in numbers | {-n for n in numbers} if -top <= n < top)


# --- the stack --------------------------------------------------------------------------------------------------------


@both_sets
def test_what_was_pushed_last_is_popped_first(isa):
    text = """
            push    a
            push    b
            push    a
            pop     a                   ; -5 again
            pop     a                   ; 7
            putn    a
            push    c
            pop     b                   ; -32768
            putn    b
            pop     c                   ; -5
            putn    c
            halt
    a:      .word   -5
    b:      .word   7
    c:      .word   1 << 15
    """
    assert run(text, isa) == b"7-32768-5"


@both_sets
def test_the_stack_holds_as_many_words_as_it_is_said_to(isa):
    text = """
            .equ    STACK, 5
            .equ    CHECKED, 1
    start:  .rept   5, i
            set     i * i, a
            push    a
            .endr
            .rept   5
            pop     a
            putn    a
            .endr
            dec     again
            jnz     again, start
            halt
    a:      .word   0
    again:  .word   2
    """
    assert run(text, isa) == b"169410169410"
    larger = assemble("push a\na: .word 0\n.equ STACK, 1000", isa=isa)
    assert len(larger.words) - len(assemble("push a\na: .word 0", isa=isa).words) == 1000 - 64


@both_sets
@pytest.mark.parametrize("size", [1, 3])
def test_a_checked_stack_stops_the_program_with_a_message(size, isa):
    checked = f".equ STACK, {size}\n.equ CHECKED, 1\n"
    words = "a: .word 0\ndot: .word '.'\n"
    assert run(f"{checked}again: push a\nout dot\njmp again\n{words}", isa) == b"." * size + b"stack overflow\n"
    assert (
        run(f"{checked}again: call inner\ninner: out dot\njmp again\n{words}", isa) == b"." * size + b"stack overflow\n"
    )
    assert run(f"{checked}push a\npop a\nout dot\npop a\nout dot\nhalt\n{words}", isa) == b".stack underflow\n"
    assert run(f"{checked}call inner\nhalt\ninner: out dot\npop a\nret\n{words}", isa) == b".stack underflow\n"
    filled = "push a\n" * size + "out dot\n" + "pop a\n" * size + "out dot\n"
    assert run(f"{checked}{filled}{filled}halt\n{words}", isa) == b"...."


@both_sets
def test_routines_call_each_other_and_themselves(isa):
    text = """
            .equ    STACK, 100
            jmp     start
    again:  putn    n
            out     blank
            call    fibonacci
            putn    result
            out     newline
            ret
    start:  call    again
            set     10, n
            call    again
            halt

    ; result = the n-th Fibonacci number; n is kept
    fibonacci:
            jgt     n, one, recur
            mov     n, result
            ret
    recur:  push    n
            dec     n
            call    fibonacci
            push    result
            dec     n
            call    fibonacci
            pop     other
            add     other, result
            pop     n
            ret
    n:      .word   1
    one:    .word   1
    result: .word   0
    other:  .word   0
    blank:  .word   ' '
    newline:.word   10
    """
    assert run(text, isa) == b"1 1\n10 55\n"


@both_sets
def test_a_jump_leaves_routines_when_the_stack_is_unwound(isa):
    text = """
            .equ    CHECKED, 1
            push    n
            depth   base
    again:  depth   n
            putn    n
            call    deeper
    caught: depth   n
            putn    n
            unwind  =5                  ; there is less
            unwind  base
            dec     twice
            jnz     twice, again
            pop     n
            putn    n
            unwind  =0
            putn    n
            halt
    deeper: push    n
            inc     n
            jlt     n, =6, deeper2
            jmp     caught
    deeper2:call    deeper
    n:      .word   -3
    base:   .word   0
    twice:  .word   2
    """
    assert run(text, isa) == b"111111-3-3"


@both_sets
def test_a_routine_may_be_at_address_0(isa):
    text = """
    first:  dec     again
            jneg    again, done
            out     star
            jz      again, start
            ret
    done:   halt
            .entry  start
    start:  call    first
            jmp     start
    again:  .word   4
    star:   .word   '*'
    """
    assert run(text, isa) == b"****"


# --- the console ------------------------------------------------------------------------------------------------------


@both_sets
@pytest.mark.parametrize("word_bits", [9, 16, 64])
def test_in_reads_bytes_and_minus_one_at_the_end(word_bits, isa):
    text = """
    next:   in      a
            jneg    a, end
            out     a
            jmp     next
    end:    inc     a
            jnz     a, next
            in      a
            out     a
            halt
    a:      .word   5
    """
    data = bytes(range(256))
    assert run(text, isa, word_bits, data) == data + b"\xff"


@both_sets
@pytest.mark.parametrize("word_bits", [8, 9, 16, 64])
def test_puts_writes_a_string_up_to_its_zero(word_bits, isa):
    text = r"""
            puts    first
            puts    empty
            puts    second
            puts    first
            halt
    first:  .asciz  "Größe\n"
    second: .word   1, 127, 128, 200, 255
    empty:  .word   0
    """
    first = "Größe\n".encode()
    assert run(text, isa, word_bits) == first + bytes([1, 127, 128, 200, 255]) + first


@both_sets
@pytest.mark.parametrize("word_bits", [10, 12, 16, 32, 64])
def test_putn_writes_what_python_writes(word_bits, isa):
    numbers = edges(word_bits)
    image = assemble("putn a\nout nl\njmp -1\na: .word 0\nnl: .word 10", isa=isa, word_bits=word_bits)
    machine = ReferenceMachine(image.words, word_bits, isa, 0, len(image.words))
    for number in numbers:
        machine.memory[image.symbols["a"]] = word = number % (1 << word_bits)
        machine.pc = 0
        assert machine.run(10_000).stop is Stop.HALTED
        assert machine.memory[image.symbols["a"]] == word
    assert machine.output.decode().split() == [str(number) for number in numbers], f"seed {SEED}"


@both_sets
@pytest.mark.parametrize("word_bits", [10, 12, 16, 32, 64])
def test_getn_reads_what_putn_writes(word_bits, isa):
    text = "again: getn a\nputn a\nout nl\ndec count\njnz count, again\nhalt\na: .word 0\nnl: .word 10\ncount: .word {}"
    data = " ".join(map(str, edges(word_bits))).encode()
    wanted = data.replace(b" ", b"\n") + b"\n"
    assert run(text.format(len(edges(word_bits))), isa, max(word_bits, 11), data) == wanted, f"seed {SEED}"


@both_sets
@pytest.mark.parametrize(
    ("data", "number", "rest"),
    [
        (b"12x34", 12, b"34"),
        (b" \t\r\n\v\f7\n8", 7, b"8"),
        (b"+5 6", 5, b"6"),
        (b"-5,6", -5, b"6"),
        (b"0", 0, b""),
        (b"-0 ", 0, b""),
        (b"007 ", 7, b""),
        (b"", 0, b""),
        (b"   ", 0, b""),
        (b"x1", 0, b"1"),
        (b"-x1", 0, b"1"),
        (b"+-1", 0, b"1"),
        (b"- 1", 0, b"1"),
        (b"-", 0, b""),
        (b",1", 0, b"1"),
        (b".1", 0, b"1"),
        (b"/1", 0, b"1"),
        (b":1", 0, b"1"),
        (b"!1", 0, b"1"),
        (b"9:1", 9, b"1"),
        (b"9/1", 9, b"1"),
        (b"\xff1", 0, b"1"),
        (b"\x801", 0, b"1"),
        (b"65535 ", -1, b""),
        (b"65537 ", 1, b""),
        (b"-65537 ", -1, b""),
        (b"-32768 ", -32768, b""),
        (b"123456789012345678901234567890 ", (123456789012345678901234567890 + 32768) % 65536 - 32768, b""),
    ],
)
def test_getn_skips_blanks_and_reads_one_byte_past_the_number(data, number, rest, isa):
    text = "getn a\nputn a\nnext: in a\njneg a, end\nout a\njmp next\nend: halt\na: .word 99"
    assert run(text, isa, 16, data) == str(number).encode() + rest
    # After one number the next is read the same.
    text = "getn a\ngetn a\nputn a\nnext: in a\njneg a, end\nout a\njmp next\nend: halt\na: .word 99"
    assert run(text, isa, 16, b"-1 " + data) == str(number).encode() + rest


@pytest.mark.parametrize("call", ["putn a", "getn a"])
def test_numbers_need_words_their_characters_fit(call):
    with pytest.raises(AssemblyError, match="needs words of at least"):
        assemble(f"{call}\na: .word 0", word_bits=5)
