"""Three programs of a few words, and a machine with one of them."""

from assembler import Image
from vm import Machine

CONSOLE = 0xFFFF
# 0: sbn one, n, -1 · 3: sbn zero, zero · 6: sbn one, zero, 0 — 3 n + 1 steps
COUNTDOWN = [9, 11, -1, 10, 10, 6, 9, 10, 0, 1, 0, 4]
COUNTDOWN_STEPS = 13
# 0: copy a byte, and again from 3 on: sbn minus, minus leaves 0; 0 - one is negative: to 0
ECHO = [CONSOLE, 9, 3, 9, CONSOLE, 6, 10, 11, 0, 0, 0, -1]  # 11 holds -1, minus 0: stays negative, to 0
# Counts 13 down for ever: the states of a run differ, so that a step lost or done twice is seen.
COUNTER = [12, 13, 3, 9, 10, 0, 0, 0, 0, 0, -1, 0, 1, 0]
SIZE = 16  # words that any of them fits into


def machine_of(words, unit, memory: int | None = SIZE, **options) -> Machine:
    return Machine(Image(words), unit, memory=memory, **options)
