"""The commands that change the machine by hand: memory, pc, input, whole states, the program."""

from __future__ import annotations

import re

import numpy as np

from assembler import AssemblyError, ImageError, assemble
from learned_units import bits
from vm import snapshot as snapshots
from vm.debugger import arguments, points, rendering, typed
from vm.debugger.errors import CommandError, refused
from vm.debugger.moving import displayed
from vm.debugger.session import Session
from vm.snapshot import Place, Snapshot

SHOWN_DIFFERENCES = 20
_STRING = re.compile(r'"(?:\\.|[^"\\])*"')
_STATEMENT = re.compile(r"\s*(?:[A-Za-z_]\w*\s*:|(?:sbn|subleq)\b|\.[A-Za-z])", re.IGNORECASE)


def set_(session: Session, text: str) -> str:
    target, expression = arguments.assignment(text, "set ADDR|LABEL = EXPR")
    address = session.checked_address(session.evaluate(target))
    word = arguments.word(session, expression)
    old = int(session.present.memory[address])
    dropped = session.edit(f"set {target} = {expression}", {address: word})
    return _changed(
        session,
        f"[{rendering.place(session, address)}]: {rendering.number(session, old)} -> {rendering.number(session, word)}",
        dropped,
    )


def pc(session: Session, text: str) -> str:
    if not text:
        return rendering.location(session)
    _, equals, where = text.partition("=")
    if not equals or not where.strip():
        raise CommandError("`pc` either shows pc or sets it", "usage: pc, or pc = LOC")
    try:
        address = arguments.place(session, where)
    except CommandError:
        address = arguments.word(session, where)  # -1, say, halts
    dropped = session.edit(f"pc = {where.strip()}", pc=address)
    return _changed(session, rendering.location(session), dropped)


def asm(session: Session, text: str) -> str:
    if not text:
        raise CommandError("`asm` needs a statement", "usage: asm [ADDR] STATEMENT, for example asm sbn one, counter")
    address, statement = _placed(session, text)
    said, dropped = typed.put(session, typed.assembled(session, address, statement))
    return _changed(session, said, dropped)


def input_(session: Session, text: str) -> str:
    registers = session.present.registers()
    if text == "end":
        dropped = session.edit("input end", registers=registers._replace(input_ended=True))
        return _changed(session, "the input ends after what was given so far", dropped)
    if not _STRING.fullmatch(text):
        raise CommandError("`input` takes a string in quotes, or `end`", 'usage: input "17 25\\n"')
    try:
        data = bytes(assemble(f".width 16\n.ascii {text}", "input").words)
    except AssemblyError as error:
        raise refused(error) from None
    dropped = session.edit(f"input {text}", registers=registers._replace(input=registers.input + data))
    waiting = len(session.present.unread)
    return _changed(session, f"{rendering.counted(len(data), 'byte')} more to read, {waiting:,} in all", dropped)


def undo(session: Session, text: str) -> str:
    arguments.nothing(text, "undo")
    edit = session.take_back()
    if edit is None:
        raise CommandError("nothing has been changed by hand so far", "`back` takes back executed steps")
    return "\n".join([f"taken back: {edit.text}", rendering.location(session), *displayed(session)])


def snapshot(session: Session, text: str) -> str:
    verb, _, path = text.partition(" ")
    path = path.strip()
    if verb not in ("save", "load", "diff") or not path:
        raise CommandError("`snapshot` is not used like that", "usage: snapshot save|load|diff FILE")
    present = session.present
    try:
        if verb == "save":
            session.check_output(path)
            snapshots.save(path, _taken(session))
            return f"step {present.step:,} is saved in {path}"
        found = snapshots.load(path)
        # The unit is free to be another: what it computes is the same.
        snapshots.check_fits(found, session.image, found.place.unit, session.size, session.image.input_mode)
    except (OSError, ValueError) as error:
        raise CommandError(_reason(error, path)) from None
    words = bits.limbs_to_words(found.memory, session.word_bits)
    differing = (words != present.memory).nonzero()[0].tolist()
    if verb == "diff":
        return _differences(session, found, words, differing)
    registers = present.registers()
    registers = registers._replace(
        pc=found.place.pc,
        input=registers.input[: registers.input_position] + found.unread,
        input_ended=found.place.input_ended,
    )
    dropped = session.edit(
        f"snapshot load {path}", {address: int(words[address]) for address in differing}, registers=registers
    )
    said = f"step {found.place.steps:,} of {path}, as a change of {rendering.counted(len(differing), 'word')} by hand"
    return _changed(session, f"{said}\n{rendering.location(session)}", dropped)


def reload(session: Session, text: str) -> str:
    arguments.nothing(text, "reload")
    if session.reload is None:
        raise CommandError("this program did not come from a file that can be read again")
    try:
        image = session.reload()
        unit = session.unit
        if (image.word_bits, image.isa) != (session.word_bits, session.image.isa):
            raise CommandError(
                f"the program is now {image.word_bits}-bit {image.isa}, but this session is {session.word_bits}-bit "
                f"{session.image.isa}",
                "start the debugger again",
            )
        session.start(image, unit)
    except AssemblyError as error:
        raise refused(error, placed=True) from None
    except (OSError, ImageError, ValueError) as error:
        raise CommandError(_reason(error, "the program")) from None
    lines = [f"{len(image.words):,} words are loaded; nothing has been executed yet"]
    for point in [point for point in session.points if point.kind in (points.BREAK, points.WATCH, points.READ)]:
        try:
            point.address, point.last = arguments.places(session, point.text)
        except CommandError as error:
            session.delete_point(point.number)
            lines.append(f"{point.kind} {point.number} at {point.text} is deleted: {error}")
    session.points_changed()
    return "\n".join([*lines, rendering.location(session), *displayed(session)])


def _placed(session: Session, text: str) -> tuple[int, str]:
    """The address an `asm` begins with, pc where there is none, and the statement."""
    first, _, rest = text.partition(" ")
    is_address = first in session.symbols or first[0].isdigit() or first[0] in "([.+-"
    if not _STATEMENT.match(text) and is_address and rest and not rest.lstrip().startswith((":", ",")):
        return session.checked_address(session.evaluate(first)), rest
    return session.checked_address(session.present.pc), text


def _taken(session: Session) -> Snapshot:
    present = session.present
    place = Place(
        image=snapshots.image_digest(session.image),
        unit=session.unit.name,
        word_bits=session.word_bits,
        isa=session.image.isa,
        input_mode=session.image.input_mode,
        pc=present.pc,
        steps=present.step,
        bytes_read=present.input_position,
        bytes_written=len(present.output),
        input_ended=present.input_ended,
    )
    return Snapshot(place, bits.words_to_limbs(present.memory, session.word_bits), present.unread)


def _differences(session: Session, found: Snapshot, words: np.ndarray, differing: list[int]) -> str:
    present, lines = session.present, []
    if found.place.pc != present.pc:
        lines.append(
            f"pc: {rendering.place(session, found.place.pc)} there, {rendering.place(session, present.pc)} here"
        )
    for address in differing[:SHOWN_DIFFERENCES]:
        there, here = (rendering.number(session, int(each[address])) for each in (words, present.memory))
        lines.append(f"[{rendering.place(session, address)}]: {there} there, {here} here")
    if len(differing) > SHOWN_DIFFERENCES:
        lines.append(f"and {len(differing) - SHOWN_DIFFERENCES:,} more words")
    if found.unread != present.unread:
        there, here = (rendering.counted(len(unread), "byte") for unread in (found.unread, present.unread))
        lines.append(f"input to come: {there} there, {here} here")
    return "\n".join(lines) or "there is no difference"


def _changed(session: Session, said: str, dropped: int) -> str:
    forgotten = [f"forgotten: {rendering.counted(dropped, 'recorded step')} ahead"] if dropped else []
    return "\n".join([said, *forgotten, *displayed(session)])


def _reason(error: Exception, name: str) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: {error.strerror}"
    return str(error)
