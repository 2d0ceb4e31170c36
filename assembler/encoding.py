"""The last stage: what was laid out becomes the words of an image."""

import bisect
from collections.abc import Iterator

from assembler.diagnostics import AssemblyError
from assembler.image import ISAS, Image, Origin, SourceMap, SourceRun, check_memory, default_memory
from assembler.layout import Assertion, Fill, Layout, Placed
from assembler.parsing import parse_expression
from assembler.scopes import Constant, Label, Scope
from assembler.syntax import Expression, Here, Name, Pooled


def encode(layout: Layout) -> Image:
    """The image of a layout that is complete. Raises AssemblyError with all errors of the program."""
    layout.evaluator.complete = True
    layout.evaluator.report_needed_above()
    _settle_constants(layout)
    for expression, scope, here in layout.literal_uses:
        layout.evaluator.value(expression, scope, here)  # places it
    _check_segments(layout)
    _check_size(layout)
    for assertion in layout.assertions:
        _check_assertion(layout, assertion)
    entry = _entry(layout)
    words = [0] * (0 if layout.is_distorted else layout.num_words)
    for placed in layout.placed:
        encoded = [*_words(layout, placed)]
        if not layout.is_distorted:
            words[placed.here : placed.here + placed.size] = encoded
    layout.report.check()
    _note(layout, words)
    symbols = _symbols(layout)
    return Image(
        words,
        layout.word_bits,
        layout.isa,
        entry,
        layout.header.memory,
        layout.input_mode,
        symbols,
        _source_map(layout),
        (name for name in symbols if isinstance(layout.names.symbols[name], Constant)),
        layout.notes,
    )


def _note(layout: Layout, words: list[int]) -> None:
    """Notes what is right by the rules, where there is something that may be noted."""
    has_unread = any(isinstance(symbol, Constant) and not symbol.is_read for symbol in layout.names.symbols.values())
    if has_unread or not layout.first_instruction:
        from assembler.notes import note_all

        note_all(layout)
    if layout.uses and not _are_targets(layout):
        from assembler.uses import note_uses

        note_uses(layout)
    if _has_console_target(layout, words):
        from assembler.notes import note_targets

        note_targets(layout, words)


def _are_targets(layout: Layout) -> bool:
    """Whether all that was taken down of operands are targets of instructions where an instruction begins."""
    starts = {placed.here for placed in layout.placed if placed.word in ISAS}
    for use in layout.uses:
        value = use.operand.value
        name = value.sole_name if isinstance(value, Expression) and value.is_plain else None
        symbol = use.scope.find(name.text) if name and use.role == "target" else None
        if not isinstance(symbol, Label) or symbol.address not in starts:
            return False
    return True


def _has_console_target(layout: Layout, words: list[int]) -> bool:
    """Whether three words that may be an instruction of the console have a target of their own."""
    console = (1 << layout.word_bits) - 1
    return any(
        console in words[placed.here : placed.here + 2] and words[placed.here + 2] != placed.here + 3 & console
        for placed in layout.placed
        if placed.size == 3 and not placed.scope.calls
    )


def _settle_constants(layout: Layout) -> None:
    """Evaluates every constant, the unused ones too, so that none of their errors stays hidden."""
    for constant in layout.constants:
        if constant.value is None:
            layout.evaluator.settle(constant)


def _check_segments(layout: Layout) -> None:
    """Reports each `.org` from which words run over words that were there before."""
    if layout.is_distorted:
        return
    filled = sorted((s.start, s.end, index) for index, s in enumerate(layout.segments) if s.start < s.end)
    guilty: dict[int, tuple[int, int]] = {}  # segment → an address it takes twice, and the segment that had it
    furthest_end, furthest = 0, 0  # of the segments seen so far, the one that reaches furthest
    for start, end, index in filled:
        if start < furthest_end:
            guilty.setdefault(max(index, furthest), (start, min(index, furthest)))
        if end > furthest_end:
            furthest_end, furthest = end, index
    for index, (address, earlier) in guilty.items():
        first_placed = layout.segments[earlier].first_placed
        last_placed = layout.segments[earlier + 1].first_placed
        found = bisect.bisect_right(layout.placed, address, first_placed, last_placed, key=lambda placed: placed.here)
        message = f"overlapping `.org`: the words from here on run over address {address:,}, which is taken"
        help = f"the statement at {layout.placed[found - 1].span} already has it"
        layout.report.add(message, layout.segments[index].span, help)


def _check_size(layout: Layout) -> None:
    """Reports an image that is too large for its addresses or its memory."""
    if layout.is_distorted:
        return
    bits, memory, size = layout.word_bits, layout.header.memory, layout.num_words
    if size > 1 << bits:
        placed = next(placed for placed in layout.placed if placed.here + placed.size > 1 << bits)
        message = f"the words from here on are beyond the {1 << bits:,} that {bits}-bit addresses reach"
        layout.report.add(message, placed.span)
    elif memory is not None:
        try:
            check_memory(memory, bits, size)
        except ValueError as error:
            layout.report.add(str(error), layout.header.stated.get(".memory"))
    elif ".memory" in layout.header.read and size > default_memory(bits):
        help = f"state `.memory {size}` or more, above this line"
        message = "`__memory` is not known here, because the image is larger than the memory of a machine by default"
        layout.report.add(message, layout.header.read[".memory"], help)


def _check_assertion(layout: Layout, assertion: Assertion) -> None:
    if assertion.scope.has_literal:
        from assembler.literals import check_numbers  # many programs have none

        if not check_numbers(layout, assertion.condition, assertion.scope):
            return
    value = layout.evaluator.value(assertion.condition, assertion.scope, assertion.here)
    if value == 0 and not (layout.is_distorted and _depends_on_addresses(assertion.condition)):
        message = f"assertion failed: {assertion.message}" if assertion.message else "assertion failed"
        layout.report.add(message, assertion.span)


def _depends_on_addresses(expression: Expression) -> bool:
    return any(isinstance(operation, Name | Here | Pooled) for operation in expression.operations)


def _entry(layout: Layout) -> int:
    """The entry the source or the caller states; 0 where neither does."""
    stated = None
    if layout.header.entry is not None:
        expression, scope, here = layout.header.entry
        stated = _word(layout, expression, scope, layout.evaluator.value(expression, scope, here))
    asked = layout.options.entry
    if asked is None:
        return stated or 0
    try:
        expression = parse_expression(str(asked), "entry")
    except AssemblyError as error:
        layout.report.diagnostics += error.diagnostics
        return 0
    value = _word(layout, expression, layout.names, layout.evaluator.value(expression, layout.names, 0))
    if stated is not None and value is not None and value != stated:
        message = f"`.entry` is {stated}, which contradicts the {value} asked for outside the source"
        layout.report.add(message, layout.header.stated[".entry"])
    return value or 0


def _words(layout: Layout, placed: Placed) -> Iterator[int]:
    """The words of one statement; those that have an error are left out."""
    cells = placed.cells
    if isinstance(cells, bytes):
        limit = 1 << layout.word_bits
        for byte in cells:
            if byte >= limit:
                layout.report_range(placed.span, byte)
                return
        yield from cells
    elif isinstance(cells, Fill):
        value = 0
        if cells.value is not None:
            value = layout.evaluator.value(cells.value, placed.scope, placed.here)
            value = _word(layout, cells.value, placed.scope, value) or 0
        yield from [value] * cells.count
    else:
        limit = 1 << layout.word_bits
        for expression in cells:
            if expression is None:
                yield (placed.here + placed.size) % limit
            else:
                value = layout.evaluator.value(expression, placed.scope, placed.here)
                if value is None or not 0 <= value < limit:
                    value = _word(layout, expression, placed.scope, value) or 0
                yield value


def _word(layout: Layout, expression: Expression, scope: Scope, value: int | None) -> int | None:
    """The word a value makes, or None after an error."""
    if value is None:
        return None
    bits = layout.word_bits
    if -(1 << bits - 1) <= value < 1 << bits:
        return value & (1 << bits) - 1
    if not (layout.is_distorted and _depends_on_addresses(expression)):
        layout.report_range(expression.span.within(scope.calls), value)
    return None


def _symbols(layout: Layout) -> dict[str, int]:
    symbols = {}
    for name, symbol in layout.names.symbols.items():
        if isinstance(symbol, Label):
            symbols[name] = symbol.address
        elif isinstance(symbol, Constant) and isinstance(symbol.value, int):
            symbols[name] = symbol.value
    return symbols


def _source_map(layout: Layout) -> SourceMap:
    chains: dict[int, tuple[Origin, ...]] = {}  # many words have the very same chain of calls
    runs = []
    for placed in sorted(layout.placed, key=lambda placed: placed.here):
        calls, line = placed.scope.calls, placed.statement.line
        if id(calls) not in chains:
            chains[id(calls)] = tuple(Origin(call.line.file, call.line.number, call.line.text) for call in calls)
        origin = Origin(line.file, line.number, line.text, chains[id(calls)])
        runs.append(SourceRun(placed.here, placed.here + placed.size, origin))
    return SourceMap(tuple(runs))
