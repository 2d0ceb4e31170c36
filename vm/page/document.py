"""The run page as one HTML text: skeleton, style, the views' script, the engine and the data, and a policy that
forbids every request."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
from collections.abc import Mapping
from importlib.resources import files
from string import Template
from typing import Any

from assembler import Image
from learned_units.unit import Unit
from vm.page.data import client_source, data_json, engine_source, page_data, strip_modules

STYLES = ("base.css", "layout.css", "step.css", "views.css")
# In this order: a script may use at once only what stands before it.
SCRIPTS = (
    "elements",
    "drawing",
    "transport",
    "timeline",
    "terminal",
    "listing",
    "memory",
    "hidden",
    "proof",
    "lanes",
    "step",
    "certainty",
    "breaking",
    "keyboard",
    "link",
    "tabs",
    "app",
)
FRAME_HEIGHT = 780  # CSS pixels, in a notebook


class Page(str):
    """The text of a run page. A notebook shows it in a frame that may run scripts and nothing else."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<Page of {len(self):,} characters>"

    def _repr_html_(self) -> str:
        return (
            f'<iframe title="A run of the machine" sandbox="allow-scripts" srcdoc="{html.escape(self)}" '
            f'style="width: 100%; height: {FRAME_HEIGHT}px; border: 0"></iframe>'
        )


def program_page(image: Image, unit: Unit, name: str, input: bytes | None, source: str | None) -> Page:
    """The page of a program on a unit.

    name: what the page calls it. input: what the program reads; None lets whoever looks at the page type it. (Of a unit
    without an engine in the page a run is recorded; with None that is a run without input.) source: the text of the
    program's own file, where it is known. Raises ValueError for a unit of another width or instruction set.
    """
    runs = image.source_map.runs if image.source_map is not None else ()
    sources = {} if source is None or not runs else {(runs[0].origin.calls or (runs[0].origin,))[-1].file: source}
    data = page_data(image, unit, name=name, input=input or b"", input_ended=input is not None, sources=sources)
    return make_page(data, _described(source or ""))


def make_page(data: Mapping[str, Any], description: str = "") -> Page:
    """The page that shows this data (`vm.page.data.page_data`), with a line on what the program does.

    Nothing in either is taken for markup or script.
    """
    style, script, engine = _style(), _script(), engine_source()
    # The engine is a script of the page only where no worker can be made.
    policy = (
        f"default-src 'none'; script-src '{digest(script)}' '{digest(engine)}'; style-src '{digest(style)}'; "
        "worker-src blob:; img-src data:; base-uri 'none'; form-action 'none'"
    )
    return Page(
        Template(part("page.html")).substitute(
            policy=policy,
            title=html.escape(f"{data['name']} on trained networks"),
            style=style,
            data=data_json({**data, "description": description}),
            engine=engine,
            script=script,
        )
    )


def _described(source: str) -> str:
    """What a program does, in the words its source begins with: its first line, if that is a comment."""
    first = source.partition("\n")[0].strip()
    return first.lstrip(";#/ ") if first.startswith((";", "#", "//")) else ""


@functools.cache
def _style() -> str:
    return "".join(map(part, STYLES))


@functools.cache
def _script() -> str:
    views = "".join(strip_modules(part(f"view/{name}.js")) for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{client_source()}{views}}})();\n'


def part(name: str) -> str:
    """A file of this package, as text."""
    return files("vm.page").joinpath(name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """What a content security policy calls this text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
