"""Pictures that a command is asked for: where, of what type and size, and that matplotlib is there to draw them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from learned_units.whole_file import write_whole
from vm.console.launch import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vm.console.terminal import Talk


@dataclass(frozen=True)
class Target:
    """A picture that is to be written."""

    path: str
    type: str
    size: tuple[float, float] | None  # inches; None: as the picture asks for
    dots_per_inch: float

    def write(self, figure: Figure, talk: Talk) -> None:
        """Write the picture, whole or not at all, and say so."""
        from vm.pictures import style

        data = style.as_file(figure, self.type, self.dots_per_inch)
        write_whole(self.path, data)
        talk.say(f"picture written to {self.path} ({len(data):,} bytes)")


def requested(option: str, path: str | None, options: argparse.Namespace) -> Target | None:
    """The picture that a path and --size and --dpi ask for, if there is one.

    To be asked before a long measurement: it also says when matplotlib is missing. Raises UsageError.
    """
    if path is None:
        given = "--size" if options.size is not None else "--dpi" if options.dpi is not None else None
        if given is not None:
            raise UsageError(f"{given} is of a picture; name its file with {option}")
        return None
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError:
        raise UsageError(f"{option} needs matplotlib; install it with pip install 'neural-sbn[plot]'") from None
    from vm.pictures import style

    found = Path(path).suffix.removeprefix(".").lower()
    types = sorted(FigureCanvasAgg.filetypes)
    if found not in types:
        raise UsageError(f"{option} {path}: the name must end with a type of picture, one of .{', .'.join(types)}")
    return Target(path, found, options.size, options.dpi or style.DOTS_PER_INCH)
