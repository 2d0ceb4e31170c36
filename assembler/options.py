"""What the caller states about a program: it fills in what the source or the image leaves open."""

from dataclasses import dataclass

from assembler.image import check_input_mode, check_isa, check_memory, check_word_bits

DIALECTS = ("sqasm", "esolangs")  # notations of other assemblers


@dataclass(frozen=True, slots=True)
class Options:
    """None leaves a thing to the source or the image. `entry` is a number, or an expression of the program's names.

    Raises ValueError or TypeError for what no image can have.
    """

    isa: str | None = None
    word_bits: int | None = None
    memory: int | None = None
    entry: int | str | None = None
    input_mode: str | None = None

    def __post_init__(self) -> None:
        if self.isa is not None:
            check_isa(self.isa)
        if self.word_bits is not None:
            check_word_bits(self.word_bits)
        if self.memory is not None:
            check_memory(self.memory, self.word_bits or 64)
        if self.input_mode is not None:
            check_input_mode(self.input_mode)
