"""Many machines at once: lanes that run side by side on the device, refilled as machines stop.

Machines wait in a queue. A lane is a place on the device where one of them runs. Chunks of steps run in all lanes at
once; between two chunks the host serves the consoles, takes machines that stopped out, and puts waiting ones in. When
none wait, the lanes are brought closer together, so that stopped machines cost nothing. Lanes are spread over the
devices of this process, each of which loops on its own; several processes (see `processes`) take every n-th machine.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from assembler import Image
from assembler.image import INPUT_MODES, InputModeName
from learned_units import bits, catalog
from learned_units.devices import ROWS, WHOLE, spread
from learned_units.processes import mine
from learned_units.store import Wanted
from learned_units.unit import Spec, Unit
from vm.execution import REFERENCE_STOP, Machine, as_image, check_input_mode, check_unit
from vm.machine import run_lanes
from vm.margin import verified_margin, with_doubt
from vm.outcome import Divergence, Outcome, halt_message
from vm.processes import share
from vm.reference import ReferenceMachine
from vm.run import Pace, check_budget, deferred_interrupt, shown_steps
from vm.state import WORDS, Halt, MachineState, blank, halt_at_boot, items_to_read, output_held

CHECKED = 16  # machines of a batch that are replayed on the reference, unless said otherwise
LANES = 512  # a device: more of them fill no core better, and leave its caches
LANES_ACCELERATED = 1 << 16
MEMORY_BYTES = 1 << 30  # for the memories of all lanes of a device
INPUT_BYTES, OUTPUT_BYTES = 1 << 8, 1 << 10  # console buffers of a lane
FIRST_BUDGET = 1 << 8
LARGEST_BUDGET = 1 << 20
REPLAY_BLOCK = 1 << 16


def run_batch(
    images: Image | str | Sequence[Image | str],
    unit: str | Unit = catalog.DEFAULT_UNIT,
    inputs: bytes | Sequence[bytes] = b"",
    *,
    memory: int | None = None,
    max_steps: int | None = None,
    check: int = CHECKED,
    input_mode: InputModeName | str | None = None,
    seed: int = 0,
    progress: Wanted = None,
    on_outcome: Callable[[int, Outcome], None] | None = None,
) -> list[Outcome]:
    """Run machines side by side, each with an input of its own, and return their outcomes in order.

    images: Images or source texts, all of one width and instruction set; one image or one input is repeated to the
    other's length. memory: words of each machine; by default what the images ask for, else the words of the largest
    rounded up to a power of two. max_steps: of each. check: how many machines, evenly spaced, are replayed on the
    reference: their output, steps, pc and whole memory must be equal. on_outcome(index, outcome) is called as machines
    stop, in no order. progress: as for `Machine`; a long run shows itself where no on_outcome is given. Raises what
    `Machine` raises, and KeyboardInterrupt between two chunks of steps.
    """
    several = list(images) if isinstance(images, Iterable) and not isinstance(images, (str, bytes)) else [images]
    programs = {id(each): as_image(each) for each in several}
    given = list(inputs) if isinstance(inputs, Iterable) and not isinstance(inputs, (bytes, bytearray)) else [inputs]
    count = max(len(several), len(given)) if several and given else 0
    for name, values in (("images", several), ("inputs", given)):
        if len(values) not in (1, count):
            raise ValueError(f"there are {len(several)} images and {len(given)} inputs: {name} are not repeated")
    if not all(isinstance(each, (bytes, bytearray)) for each in given):
        raise TypeError("inputs must be bytes")
    check_budget(max_steps)
    if isinstance(check, bool) or not bits.is_integer(check) or check < 0:
        raise ValueError(f"check is {check!r}; it is a number of machines, 0 or more")
    check_input_mode(input_mode)
    if not count:
        return []
    first = programs[id(several[0])]
    if isinstance(unit, str):
        unit = catalog.load_unit(unit, first.word_bits, first.isa, seed=seed, progress=progress)
    for image in programs.values():
        check_unit(unit, image)
    size = memory_size(list(programs.values()), memory)
    replayed = set(np.linspace(0, count - 1, min(check, count)).round().astype(int).tolist()) if check else set()
    jobs = [
        _Job(
            k,
            programs[id(several[k % len(several)])],
            bytes(given[k % len(given)]),
            input_mode or programs[id(several[k % len(several)])].input_mode,
            max_steps,
            k in replayed,
        )
        for k in range(count)
    ]
    modes = {job.input_mode for job in jobs}
    if len(modes) > 1:
        raise ValueError(f"the images read input in different ways: {', '.join(sorted(modes))}")
    outcomes: dict[int, Outcome] = {}
    batch = _Batch(unit, size, modes.pop(), [jobs[k] for k in mine(count)])
    with shown_steps(progress is None and on_outcome is None, None) as tell:
        for index, outcome in batch.outcomes(tell):
            outcomes[index] = outcome
            if on_outcome is not None:
                on_outcome(index, outcome)
    shared = share(outcomes)
    if on_outcome is not None:
        for index in sorted(shared.keys() - outcomes.keys()):
            on_outcome(index, shared[index])
    return [shared[index] for index in range(count)]


def memory_size(images: Sequence[Image], requested: int | None = None) -> int:
    """Words of memory every machine of the batch has."""
    if requested is not None or any(image.memory is not None for image in images):
        sizes = [image.memory_size(requested) for image in images if requested is not None or image.memory is not None]
        if len(set(sizes)) > 1:
            raise ValueError(f"the images ask for different memories: {', '.join(map(str, sorted(set(sizes))))} words")
        return sizes[0]
    return max(1 << (max(len(image.words) for image in images) - 1).bit_length(), WORDS)


@dataclass
class _Job:
    """One machine of the batch: what it starts from, and what is known of it while it runs."""

    index: int
    image: Image
    input: bytes
    input_mode: str
    max_steps: int | None
    replayed: bool
    read: int = 0  # of its items, handed to the lane
    steps: int = 0
    console_steps: int = 0
    margin: float = float("inf")
    output: bytearray = field(default_factory=bytearray)

    @functools.cached_property
    def items(self) -> np.ndarray:
        """What it reads: bytes, uint8 [n], or numbers, uint32 [n, limbs]."""
        return items_to_read(self.input, len(self.input), True, self.input_mode, self.image.word_bits)[0]

    @property
    def allowance(self) -> int:
        """Steps it may take in a chunk."""
        return LARGEST_BUDGET if self.max_steps is None else min(self.max_steps - self.steps, LARGEST_BUDGET)


class _Batch:
    """Runs jobs in lanes."""

    def __init__(self, unit: Unit, size: int, input_mode: str, jobs: list[_Job]) -> None:
        self._unit = unit
        self._size = size
        self._input_mode = input_mode
        self._waiting = jobs[::-1]  # taken from the end
        self._jobs: list[_Job | None] = []  # one a lane
        self._devices = jax.local_devices()
        self._pace = Pace(FIRST_BUDGET, LARGEST_BUDGET)
        self._began = time.monotonic()
        self._steps = 0  # of all machines

    def outcomes(self, tell: Callable[[int], None]) -> Iterator[tuple[int, Outcome]]:
        """Run everything; each machine's index and outcome as it stops, replayed where it is to be.

        tell: is told the steps of all machines so far.
        """
        replays: list[Future[tuple[int, Outcome]]] = []
        lanes = self._arrange(None, [])
        with ThreadPoolExecutor(1) as replaying, deferred_interrupt() as interrupted:
            while any(job is not None for job in self._jobs):
                if interrupted():
                    break
                lanes, stopped = self._advance(lanes)
                tell(self._steps)
                for job, outcome, memory in stopped:
                    if memory is not None and job.replayed:
                        replays.append(replaying.submit(_replay, job, outcome, memory, self._unit, interrupted))
                    else:
                        yield job.index, outcome
                while replays and replays[0].done():
                    yield replays.pop(0).result()
                lanes = self._rearranged(lanes)
            for replay in replays:
                if interrupted():
                    break
                yield replay.result()
        if interrupted():
            raise KeyboardInterrupt

    def _rearranged(self, lanes: MachineState) -> MachineState:
        """The lanes, refilled or brought closer together where that pays."""
        free = sum(job is None for job in self._jobs)
        live = len(self._jobs) - free
        if (self._waiting and 4 * free >= len(self._jobs)) or (not self._waiting and live <= len(self._jobs) // 2):
            kept = [lane for lane, job in enumerate(self._jobs) if job is not None]
            return self._arrange(lanes, kept) if kept or self._waiting else lanes
        return lanes

    def _arrange(self, lanes: MachineState | None, kept: list[int]) -> MachineState:
        """New lanes: those kept, then as many waiting machines as there is room for."""
        limbs = bits.limb_count(self._unit.word_bits)
        accelerated = self._devices[0].platform != "cpu"
        most = min(LANES_ACCELERATED if accelerated else LANES, max(1, MEMORY_BYTES // (4 * limbs * self._size)))
        a_device = -(-(len(kept) + len(self._waiting)) // len(self._devices))
        places = len(self._devices) * min(1 << (a_device - 1).bit_length(), 1 << (most.bit_length() - 1))
        jobs: list[_Job | None] = [self._jobs[lane] for lane in kept]
        numbers = INPUT_MODES[self._input_mode].numbers
        fresh = blank((places,), self._size, self._unit.word_bits, numbers, INPUT_BYTES, OUTPUT_BYTES)
        while len(jobs) < places:
            job = self._waiting.pop() if self._waiting else None
            if job is not None:
                _boot_lane(fresh, len(jobs), job, self._size)
            jobs.append(job)
        self._jobs = jobs
        if lanes is None:
            return MachineState(**jax.device_put(fresh))
        source = np.full(places, -1, np.int32)
        source[: len(kept)] = kept
        return _rearrange(lanes, MachineState(**jax.device_put(fresh)), jnp.asarray(source))

    def _advance(self, lanes: MachineState) -> tuple[MachineState, list[tuple[_Job, Outcome, np.ndarray | None]]]:
        """Run one chunk and serve the consoles. Returns the lanes, and the machines that stopped for good."""
        left = [LARGEST_BUDGET if job is None else job.allowance for job in self._jobs]
        allowance = np.minimum(np.array(left, np.int64), LARGEST_BUDGET).astype(np.int32)
        halts = np.array(lanes.halt)
        halts[(allowance == 0) & (halts == Halt.RUNNING)] = Halt.BUDGET
        count = len(self._jobs)
        lanes = lanes._replace(
            halt=halts,
            margin=np.full(count, np.inf, np.float32),
            console_steps=np.zeros(count, np.int32),
            output_length=np.zeros(count, np.int32),
        )
        began = time.monotonic()
        run = spread_over_devices(tuple(self._devices), self._unit.spec, self._input_mode)
        lanes, taken = run(lanes, allowance, self._unit.params, np.int32(self._pace.steps))
        steps = np.asarray(taken)
        self._steps += int(steps.sum(dtype=np.int64))
        self._pace.measure(int(steps.max(initial=0)), time.monotonic() - began)
        halts = np.array(lanes.halt)
        read, position = np.array(lanes.input_length), np.array(lanes.input_position)
        margins, consoles, lengths = (np.asarray(x) for x in (lanes.margin, lanes.console_steps, lanes.output_length))
        output = np.asarray(lanes.output) if lengths.any() else None
        ended: dict[int, _Job] = {}
        refilled: dict[int, np.ndarray] = {}
        pcs = bits.limbs_to_words(np.asarray(lanes.pc), self._unit.word_bits)
        for lane, job in enumerate(self._jobs):
            if job is None:
                continue
            job.steps += int(steps[lane])
            job.console_steps += int(consoles[lane])
            job.margin = float(np.minimum(job.margin, margins[lane]))  # a NaN stays
            if output is not None:
                job.output += output_held(output[lane, : lengths[lane]], self._input_mode, self._unit.word_bits)
            halt = Halt(int(halts[lane]))
            if halt is Halt.NEED_INPUT:
                refilled[lane] = job.items[job.read : job.read + INPUT_BYTES]
                job.read += len(refilled[lane])
                halt = Halt.RUNNING
            if halt is Halt.OUTPUT_FULL or (halt is Halt.BUDGET and job.max_steps is None):
                halt = Halt.RUNNING
            if halt in (Halt.RUNNING, Halt.BUDGET) and job.max_steps is not None:
                halt = Halt.BUDGET if job.steps >= job.max_steps else Halt.RUNNING
            halts[lane] = halt
            if halt is not Halt.RUNNING:
                ended[lane] = job
                self._jobs[lane] = None
        lanes = lanes._replace(halt=halts)
        memories = _memories(lanes, list(ended))
        stopped = [
            (job, *self._outcome(job, Halt(int(halts[lane])), int(pcs[lane]), memory))
            for (lane, job), memory in zip(ended.items(), memories, strict=True)
        ]
        if refilled:
            buffers, no_more = np.array(lanes.input), np.array(lanes.input_ended)
            for lane, block in refilled.items():
                job = self._jobs[lane]
                buffers[lane, : len(block)] = block
                read[lane], position[lane] = len(block), 0
                no_more[lane] = job is None or job.read >= len(job.items)
            lanes = lanes._replace(input=buffers, input_length=read, input_position=position, input_ended=no_more)
        return lanes, stopped

    def _outcome(self, job: _Job, halt: Halt, pc: int, limbs: np.ndarray) -> tuple[Outcome, np.ndarray | None]:
        """How a machine ended, and its memory, uint32 [size or more, limbs] before, as words where it is looked at."""
        memory = bits.limbs_to_words(limbs[: self._size], job.image.word_bits)
        message = halt_message(halt, job.image, pc, job.steps, memory, None)
        message = with_doubt(message, job.margin, verified_margin(self._unit.manifest))
        seconds = time.monotonic() - self._began
        made = Outcome(halt, message, job.steps, job.console_steps, job.margin, bytes(job.output), None, seconds)
        return made, memory if job.replayed else None


@functools.lru_cache(maxsize=1)
def _limbs_of(words: tuple[int, ...], word_bits: int) -> np.ndarray:
    return bits.words_to_limbs(np.array(words, np.uint64), word_bits)


def _boot_lane(lanes: dict[str, np.ndarray], lane: int, job: _Job, size: int) -> None:
    """Put a machine of `size` words into a lane."""
    image = job.image
    lanes["memory"][lane, : len(image.words)] = _limbs_of(tuple(image.words), image.word_bits)
    lanes["pc"][lane] = bits.words_to_limbs(np.array(image.entry, np.uint64), image.word_bits)
    lanes["halt"][lane] = halt_at_boot(image.entry, size, image.word_bits)
    block = job.items[:INPUT_BYTES]
    job.read = len(block)
    lanes["input"][lane, : len(block)] = block
    lanes["input_length"][lane] = len(block)
    lanes["input_ended"][lane] = job.read == len(job.items)


@functools.cache
def spread_over_devices(devices: tuple[Any, ...], spec: Spec, input_mode: str) -> Any:
    """`run_lanes` with the lanes split evenly over the devices, each of which runs its own until they are done."""
    run = functools.partial(run_lanes, spec=spec, input_mode=input_mode)
    return jax.jit(spread(run, (ROWS, ROWS, WHOLE, WHOLE), devices), donate_argnums=0)


def _memories(lanes: MachineState, wanted: list[int]) -> np.ndarray:
    """The memories of some lanes, uint32 [wanted, size, limbs]. Few numbers of lanes are compiled: powers of 4."""
    if not wanted:
        return np.empty((0, *lanes.memory.shape[1:]), np.uint32)
    filled = 1
    while filled < len(wanted):
        filled *= 4
    index = np.zeros(filled, np.int32)
    index[: len(wanted)] = wanted
    return np.asarray(_chosen(lanes.memory, index))[: len(wanted)]


@jax.jit
def _chosen(memory: jax.Array, index: jax.Array) -> jax.Array:
    return memory[index]


@jax.jit
def _rearrange(lanes: MachineState, fresh: MachineState, source: jax.Array) -> MachineState:
    """Lane k becomes lane source[k] of `lanes`, or, where that is -1, lane k of `fresh`. int32 [lanes of fresh]."""

    def one(old: jax.Array, new: jax.Array) -> jax.Array:
        kept = (source >= 0).reshape(-1, *(1 for _ in new.shape[1:]))
        return jnp.where(kept, old[jnp.maximum(source, 0)], new)

    return jax.tree.map(one, lanes, fresh)


def _replay(
    job: _Job, outcome: Outcome, memory: np.ndarray, unit: Unit, interrupted: Callable[[], bool]
) -> tuple[int, Outcome]:
    """The outcome, if the reference ends as this machine did; else a divergence. Raises KeyboardInterrupt."""
    image = job.image
    reference = ReferenceMachine(
        image.words, image.word_bits, image.isa, image.entry, len(memory), job.input_mode, job.input
    )
    while reference.steps < outcome.steps and reference.run(min(outcome.steps - reference.steps, REPLAY_BLOCK)).pcs:
        if interrupted():
            raise KeyboardInterrupt
    stops = outcome.halt not in REFERENCE_STOP or reference.run(0).stop is REFERENCE_STOP[outcome.halt]
    same = reference.steps == outcome.steps and bytes(reference.output) == outcome.output and stops
    if same and reference.memory == memory.tolist():
        return job.index, outcome
    # The batch keeps no trace: where the two part is found by running this machine alone, in lockstep.
    alone = Machine(image, unit, input=job.input, memory=len(memory), input_mode=job.input_mode, progress=False).run(
        job.max_steps
    )
    found = alone.divergence or Divergence(
        outcome.steps,
        reference.pc,
        "in the batch the machine did not end as the reference did; run alone in lockstep, it does",
    )
    report = f"machine {job.index} of the batch: {found.report}"
    message = halt_message(Halt.DIVERGED, image, found.pc, found.step, memory, replace(found, report=report))
    return job.index, replace(outcome, halt=Halt.DIVERGED, message=message, divergence=replace(found, report=report))
