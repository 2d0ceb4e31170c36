"""Whatever is in a file that the project reads, it is used or refused in words: of each kind, mutated at random.

Nothing else may come of it: no other exception, no endless work, and no claim or state that was not in the file before.
"""

import hashlib
import random
import re
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import programs
from assembler import AssemblyError, Image, ImageError, assemble, disassemble, image_bytes, read_image
from learned_units import catalog, load_unit, store
from learned_units.modular import syntax
from learned_units.proof import pairs, shards
from learned_units.store import WeightsError
from learned_units.weights import recipes, refuted
from vm import Halt, Machine, run_batch, snapshot
from vm.console import batch
from vm.debugger.errors import Leave
from vm.debugger.session import Session
from vm.debugger.shell import Shell, prompt_session
from vm.snapshot import Place, Snapshot, SnapshotError

SECONDS = 20.0  # of processor time that one input may take
IN_ALL = 10_000
PROGRAM = assemble(programs.source("adder"))
SQASM = b"# a loop\nloop: a ?+1\n. x:-1 'text'; (-1) loop\nZ Z loop\n. Z:0 a:[10]\n"
POLYNOMIALS = [b"3a^2 b + 5b + 7 mod 97", b"(a + b)^3 - 2 (c - 1) mod 113", b"16 a - b mod 2"]
HISTORY = b"\n# 2026-01-01 10:00:00.000000\n+step 10\n\n# 2026-01-01 10:00:01.000000\n+print 1\n+print 2\n"
COMMANDS = """\
step 10
next
finish
continue
until done
run
back 5
reverse-continue
goto 0
break done if [n] < 3
break margin < 0.5
break divergence
tbreak done
watch n if step > 3
delete all
info
print [n] + 1
x/8d n
display [n]
undisplay 1
list :20
disassemble done, 4
symbols n
where
trace on
history 20
profile 5
stats
explain 5 3
unit native
both off
set n = 5
pc = done
asm sbn one, n
input "17 25\\n"
input end
undo
snapshot load state
snapshot diff state
reload
help break
""".splitlines()
# Pieces that are put in somewhere, numbers that take the place of others, values that take that of others in JSON.
PIECES = [
    *(b"\0", b"\xff", b"\xe9", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\x1b[2J", b"\r\n", b"\n", b"\t", b" ", b",", b";"),
    *(b":", b'"', b"'", b"\\", b"(", b")", b"[", b"[" * 200, b"{", b"}", b"-", b"?", b"#", b"-1", b"0", b"NaN", b"0x"),
    *(b"1e999", b"9" * 30, b"9" * 5000, b"1 << 99", b".space 9", b".include ", b".macro m\n", b".endm\n", b"null"),
]
NUMBERS = [b"0", b"-1", b"1", b"255", b"65536", b"4294967296", b"1" * 20, b"-9223372036854775809", b"1.5", b"nan"]
ODD_VALUES: list[Any] = [
    *(None, True, False, -1, 0, 1, 3, 65, 10**30, 2**63, 1.5, float("inf"), float("nan"), "", "x", "1", "\ud800"),
    *([], [[]], {}, {"a": 1}, [0, 0], [1, 2, 3], "é" * 99),
]


class Kind(NamedTuple):
    """Files of one kind: one that was mutated, and what reads it."""

    mutated: Callable[[random.Random], bytes]
    read: Callable[[Path], object]
    refusals: tuple[type[Exception], ...]  # in words


def mutated(rng: random.Random, data: bytes) -> bytes:
    """The bytes with one to four changes."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        to = min(len(data), at + rng.choice((0, 1, 2, 8, 60)))
        change = rng.randrange(7)
        if change == 0:
            data = data[:at] + data[to:]
        elif change == 1:
            data = data[:at] + rng.choice(PIECES) + data[to:]
        elif change == 2:
            data = data[:to] + data[at:to] * rng.choice((1, 2, 30)) + data[to:]
        elif change == 3 and at < len(data):
            data = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        elif change == 4:
            data = data[:at]
        elif change == 5 and (found := list(re.finditer(rb"-?[0-9]+", data[:20_000]))):
            place = rng.choice(found)
            data = data[: place.start()] + rng.choice(NUMBERS) + data[place.end() :]
        else:
            data = data[:at] + rng.randbytes(rng.randrange(5)) + data[to:]
    return data


def altered(rng: random.Random, value: Any) -> Any:
    """A value of JSON in which something is another, gone, or new."""
    inside = isinstance(value, (dict, list)) and value and rng.random() < 0.8
    if not inside:
        return rng.choice(ODD_VALUES)
    if isinstance(value, dict):
        name = rng.choice(sorted(value))
        kept = {key: each for key, each in value.items() if key != name}
        return kept if rng.random() < 0.2 else {**kept, name: altered(rng, value[name])}
    at = rng.randrange(len(value))
    return [*value[:at], altered(rng, value[at]), *value[at + 1 :]]


def of_bytes(*samples: bytes) -> Callable[[random.Random], bytes]:
    return lambda rng: mutated(rng, rng.choice(samples))


# --- programs -------------------------------------------------------------------------------------------------------


def as_program(format: str, **options: Any) -> Callable[[Path], object]:
    def read(path: Path) -> None:
        image = read_image(path.read_bytes(), path.name, format, path.parent, **options)
        if len(image.words) < 5_000 and not options:
            assert read_image(image_bytes(image, "img"), format="img") == image
            assert assemble(disassemble(image)).words == image.words

    return read


def program_kinds() -> dict[str, Kind]:
    refusals = (AssemblyError, ImageError)
    sources = [programs.source(name).encode() for name in programs.names()]
    kinds = {
        "source": Kind(of_bytes(*sources), as_program("sbn"), refusals),
        "sqasm": Kind(of_bytes(SQASM), as_program("sbn", dialect="sqasm"), refusals),
    }
    for format in ("img", "dec", "hex", "bin"):
        kinds[format] = Kind(of_bytes(image_bytes(PROGRAM, format)), as_program(format), refusals)
    return kinds


def sealed_image(rng: random.Random) -> bytes:
    """An image with a mended checksum."""
    body, _, _ = image_bytes(PROGRAM, "img").rpartition(b"sha256")
    body = mutated(rng, body)
    return body + f"sha256 {hashlib.sha256(body).hexdigest()}\n".encode()


# --- states of machines ---------------------------------------------------------------------------------------------


def state(steps: int = 40) -> Snapshot:
    machine = Machine(PROGRAM, "native", input=b"17 25\n")
    machine.run(steps)
    return machine.snapshot()


def sealed_snapshot(rng: random.Random, folder: Path) -> bytes:
    """A snapshot with something wrong in it and the right checksum."""
    saved = state()
    place, memory, unread = asdict(saved.place), saved.memory, saved.unread
    if rng.random() < 0.7:
        place = {**place, rng.choice(sorted(place)): rng.choice(ODD_VALUES)}
    else:
        memory = rng.choice(
            [memory[:-1], memory[:0], memory.T, memory[:, 0], memory.astype(np.int64), memory + np.uint32(1 << 20)]
        )
    snapshot.save(folder / "sealed", Snapshot(Place(**place), memory, unread))
    return (folder / "sealed").read_bytes()


def resume(path: Path) -> None:
    """Load a snapshot and go on from it: what fits the machine ends as a machine can."""
    found = snapshot.load(path)
    machine = Machine(PROGRAM, "native")
    machine.restore(found)
    outcome = machine.run(500)
    assert outcome.halt is not Halt.DIVERGED and outcome.message


# --- weights, claims and records ------------------------------------------------------------------------------------


def shipped() -> list[Path]:
    with_weights = Path(str(recipes.shipped_folder()))
    return [with_weights / "neural-gpu-subtract-sbn-seed0.safetensors", with_weights / "modular-seed0.safetensors"]


def sealed_weights(rng: random.Random, folder: Path) -> bytes:
    """Weights whose manifest is another one, with mended hashes."""
    tensors, manifest = store.load(rng.choice(shipped()), {})
    plain = {name: value for name, value in manifest.items() if not name.endswith("_hash")}
    for _ in range(rng.randint(1, 2)):
        changed = altered(rng, plain)
        plain = changed if isinstance(changed, dict) else plain
    store.save(folder / "sealed", tensors, plain)
    return (folder / "sealed").read_bytes()


def describe(path: Path) -> None:
    """Read weights as `sbn units` does."""
    recipe = catalog.recipe_of(store.load(path, {})[1])
    manifest = recipes.read(recipe, path)[1]
    assert all(isinstance(text, str) for text in recipe.report(manifest)[:3])


def damaged_manifest(rng: random.Random) -> bytes:
    """Weights whose header is a mutated one, of its right length."""
    data = shipped()[0].read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = mutated(rng, data[8 : 8 + length])
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def record_kind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """Records of finished shards: none of them ever says more than the one that was written."""
    monkeypatch.setenv("SBN_CACHE_DIR", str(folder))
    unit = load_unit("native", 8)
    plan = pairs.plan(unit, 500)
    true, _ = shards.verify(unit, plan)
    written = plan.path.read_bytes()
    assert true.cases == 500 and shards.finished(plan) == true

    def read(path: Path) -> None:
        plan.path.write_bytes(path.read_bytes())
        assert shards.finished(plan) in (true, shards.Coverage())

    return Kind(of_bytes(written), read, ())


def refutation_kind() -> Kind:
    tensors = "0" * 64

    def read(path: Path) -> None:
        store.refutation_path(tensors).parent.mkdir(exist_ok=True)
        store.refutation_path(tensors).write_bytes(path.read_bytes())
        assert isinstance(refuted.what_failed(tensors), str)

    return Kind(of_bytes(b"2026-01-01 10:00 UTC: 3 of 5 inputs\n"), read, ())


# --- what is typed --------------------------------------------------------------------------------------------------


def script(rng: random.Random) -> bytes:
    return mutated(rng, "\n".join(rng.choices(COMMANDS, k=8)).encode())


def debug(path: Path) -> None:
    written = bytearray()
    snapshot.save(path.parent / "state", state())
    session = Session(PROGRAM, load_unit("native"), b"17 25\n", limit=10_000)
    try:
        Shell(session, written.extend).run_script(path.read_bytes().decode("utf-8", "replace").split("\n"))
    except Leave:
        pass
    assert b"this should not happen" not in written, written.decode()


def look_back(path: Path) -> None:
    """Read a file as the history of a prompt."""
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.input import DummyInput
    from prompt_toolkit.output import DummyOutput

    with create_app_session(input=DummyInput(), output=DummyOutput()):
        shell = Shell(Session(Image([0]), load_unit("native")), bytearray().extend)
        kept = prompt_session(shell, path).history
    assert all(isinstance(line, str) for line in kept.load_history_strings())


def run_lines(path: Path) -> None:
    lines = batch.lines_of(path.read_bytes())
    outcomes = run_batch(PROGRAM, "native", lines, max_steps=2_000)
    assert len(outcomes) == len(lines) and all(each.halt is not Halt.DIVERGED for each in outcomes)


def polynomial(path: Path) -> None:
    syntax.parse(path.read_bytes().decode("utf-8", "surrogateescape"))


def all_kinds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Kind]:
    """Kinds by name. Their files are in a folder, which also is the cache."""
    whole_snapshot = folder / "whole"
    snapshot.save(whole_snapshot, state())
    weights = [path.read_bytes() for path in shipped()[:1]]
    return {
        **program_kinds(),
        "sealed image": Kind(sealed_image, as_program("img"), (AssemblyError, ImageError)),
        "snapshot": Kind(of_bytes(whole_snapshot.read_bytes()), resume, (SnapshotError,)),
        "sealed snapshot": Kind(lambda rng: sealed_snapshot(rng, folder), resume, (SnapshotError,)),
        "weights": Kind(of_bytes(*weights), describe, (WeightsError,)),
        "manifest": Kind(damaged_manifest, describe, (WeightsError,)),
        "sealed manifest": Kind(lambda rng: sealed_weights(rng, folder), describe, (WeightsError,)),
        "shard record": record_kind(folder, monkeypatch),
        "refutation": refutation_kind(),
        "script": Kind(script, debug, ()),
        "history": Kind(of_bytes(HISTORY), look_back, ()),
        "batch": Kind(of_bytes(b"1 2\n-17 59\r\n30000 30000\n"), run_lines, ()),
        "polynomial": Kind(of_bytes(*POLYNOMIALS), polynomial, (syntax.PolynomialError,)),
    }


@pytest.mark.parametrize("count", [4, pytest.param(None, marks=pytest.mark.slow)])
def test_a_mutated_input_is_used_or_refused_in_words(count, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kinds = all_kinds(tmp_path, monkeypatch)
    wrong, refused = [], dict.fromkeys(kinds, 0)
    turns = count or -(-IN_ALL // len(kinds))
    for name, kind in kinds.items():
        for turn in range(turns):
            path = tmp_path / "mutated"
            path.write_bytes(kind.mutated(random.Random(f"{name} {turn}")))
            began = time.process_time()
            try:
                kind.read(path)
            except kind.refusals as refusal:
                assert str(refusal)
                refused[name] += 1
            except Exception as error:
                wrong.append(f"{name} {turn}: {type(error).__name__}: {str(error)[:300]}")
            if time.process_time() - began > SECONDS:
                wrong.append(f"{name} {turn}: it takes {time.process_time() - began:.0f} s")
    assert not wrong, "\n".join(wrong)
    assert all(refused[name] for name, kind in kinds.items() if kind.refusals), refused


def test_every_kind_is_read_where_nothing_is_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.mutated", lambda rng, data: data)
    monkeypatch.setattr(f"{__name__}.altered", lambda rng, value: value)
    monkeypatch.chdir(tmp_path)
    for name, kind in all_kinds(tmp_path, monkeypatch).items():
        if name != "sealed snapshot":
            (tmp_path / "same").write_bytes(kind.mutated(random.Random(name)))
            kind.read(tmp_path / "same")


@pytest.mark.parametrize(
    "command", ["delete {}", "undisplay {}", "x/{}d 0", "break :{}", "list :{}", "goto {}", "print {}"]
)
def test_a_number_of_thousands_of_digits_is_refused_in_words_by_every_command(command):
    written = bytearray()
    shell = Shell(Session(PROGRAM, load_unit("native")), written.extend)
    shell.take(command.format("9" * 5_000))
    assert shell.failed and b"this should not happen" not in written
