"""The index of a folder of run pages."""

from __future__ import annotations

import html
from collections.abc import Iterable
from string import Template

from vm.page.document import digest, part

STYLES = ("base.css", "gallery.css")


def make_index(programs: Iterable[tuple[str, str]]) -> str:
    """HTML that links to NAME.html for each name, with its description."""
    style = "".join(map(part, STYLES))
    entry = '<li><a href="{0}.html"><h2>{0}</h2><p>{1}</p></a></li>\n'
    entries = "".join(entry.format(html.escape(name), html.escape(description)) for name, description in programs)
    policy = f"default-src 'none'; style-src '{digest(style)}'; img-src data:; base-uri 'none'; form-action 'none'"
    return Template(part("gallery.html")).substitute(policy=policy, style=style, entries=entries)
