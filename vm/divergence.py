"""The report on a step at which the unit and the reference disagree."""

from __future__ import annotations

from assembler import Image
from learned_units.unit import Unit, weakness
from vm.chunk import Chunk
from vm.lockstep import Mismatch
from vm.margin import format_margin
from vm.outcome import Divergence, source_line
from vm.reference import ReferenceMachine


def describe(image: Image, unit: Unit, before: ReferenceMachine, chunk: Chunk, mismatch: Mismatch) -> Divergence:
    """Operands and both results of a diverging step, with the unit's own account of them.

    before: the reference just before that step. chunk: the steps that were compared, the diverging one among them.
    """
    k, pc, console, size = mismatch.offset, mismatch.pc, (1 << image.word_bits) - 1, len(before.memory)
    step = chunk.first_step + k
    found = (chunk.addresses[k], chunk.words[k], chunk.pcs[k + 1] if k + 1 < len(chunk.pcs) else chunk.next_pc)
    lines = [f"step {step:,} at pc {pc}{source_line(image, pc)} differs"]
    operands = before.memory[pc : pc + 3]
    if pc != before.pc or len(operands) < 3:
        lines.append(f"  the reference is at pc {before.pc}")
        return Divergence(step, pc, "\n".join(lines))
    a, b, c = operands
    computes = console not in (a, b) and max(a, b) < size
    if computes:
        lines.append(f"  operands   [{b}] = {before.memory[b]}, minus [{a}] = {before.memory[a]}, target {c}")
    lines.append(f"  reference  [{mismatch.address}] <- {mismatch.word}, next pc {mismatch.next_pc}")
    lines.append(f"  machine    [{found[0]}] <- {found[1]}, next pc {found[2]}")
    if computes:
        case = (before.memory[b], before.memory[a], c, (pc + 3) & console)
        decisions = unit.explain(*case)
        if decisions:
            weak = min(decisions, key=lambda decision: weakness(decision.margin))
            lines.append(
                f"  smallest margin {format_margin(weak.margin, digits=3)}: pass {weak.stage} ({weak.network}), "
                f"{weak.output} at bit {weak.bit}"
            )
        again = unit.step(*case)  # in the form that ran
        if (int(again.difference), int(again.next_pc)) != found[1:]:
            lines.append(
                f"  evaluated again on these operands, the unit gives {int(again.difference)} "
                f"and next pc {int(again.next_pc)}: not what the machine recorded"
            )
    return Divergence(step, pc, "\n".join(lines))
