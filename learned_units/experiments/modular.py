"""Which modular polynomials a network learns from half of their table (arXiv 2406.03495, hypothesis 5.1, appendix C).

The hypothesis: those of the form h(g1(a) + g2(b)), products among them, and no others. The paper trains 5,000 units
with Adam and squared loss; here 256 units are trained by the recipe of `learned_units/modular/training.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from learned_units.experiments.table import Cell, Curve, Panel, Table
from learned_units.modular import spectrum, syntax, training
from learned_units.modular.training import Trained
from learned_units.store import Progress


class Candidate(NamedTuple):
    """A polynomial of the list."""

    text: str
    form: str | None  # as h(g1(a) + g2(b)), where there is such a form
    paper: Mapping[int, float] = {}  # by modulus: held-out accuracy in the paper's appendix C, in percent


class Size(NamedTuple):
    """What is trained, and how."""

    modulus: int
    fraction: float
    most_epochs: int


CANDIDATES = (
    Candidate("a + b", "a + b"),
    Candidate("a - b", "a - b"),
    Candidate("a b", "exp(log a + log b)"),
    Candidate("a^2 + b^2", "a^2 + b^2"),
    Candidate("(4a + b^2)^3", "(4a + b^2)^3", {97: 100.0, 23: 100.0}),
    Candidate("(2a + 3b)^4", "(2a + 3b)^4", {97: 100.0, 23: 100.0}),
    Candidate("(5a^3 + 2b^4)^2", "(5a^3 + 2b^4)^2", {97: 100.0, 23: 100.0}),
    Candidate("a^3 + a b^2 + b", None),
    Candidate("(4a + b^2)^3 + a b", None, {97: 2.27, 23: 1.89}),
    Candidate("(2a + 3b)^4 - a^2", None, {97: 3.93, 23: 7.17}),
    Candidate("(5a^3 + 2b^4)^2 - b", None, {97: 72.32, 23: 2.64}),
)
UNITS = 256
WHOLE = Size(97, 0.5, 1500)
QUICK = Size(23, 0.8, 400)  # smaller tables need a larger part of them
# Periodic in the values themselves, or in their discrete logarithms: where the spectrum can be read.
SPECTRA = {"a + b": spectrum.measure, "a - b": spectrum.measure, "a b": spectrum.measure_products}
DRAWN = ("a + b", "a b", "a^3 + a b^2 + b")
COLUMNS = (
    "polynomial",
    "h(g1(a) + g2(b))",
    "paper expects",
    "paper: held out %",
    "held out %",
    "training %",
    "commonest answer %",
    "epochs",
    "learned",
    "IPR before",
    "IPR after",
    "units of one frequency %",
)


def measure(quick: bool, progress: Progress) -> Table:
    """Train on each polynomial of the list; the held-out rows decide whether it was learned."""
    size = QUICK if quick else WHOLE
    rows: list[tuple[Cell, ...]] = []
    results: dict[str, Trained] = {}
    for k, candidate in enumerate(CANDIDATES):

        def report(epoch: int, accuracy: float, k: int = k, candidate: Candidate = candidate) -> None:
            what = f"training on {candidate.text} mod {size.modulus}: epoch {epoch}, held out {accuracy:.0%} right"
            progress(what, (k + epoch / size.most_epochs) / len(CANDIDATES))

        labels = table_of(candidate.text, size.modulus)
        trained = training.train(labels, UNITS, size.fraction, most_epochs=size.most_epochs, progress=report)
        results[candidate.text] = trained
        rows.append(_row(candidate, labels, trained))
    return Table(
        f"Modular polynomials modulo {size.modulus}, {UNITS} units, {size.fraction:.0%} of the table trained on",
        COLUMNS,
        tuple(rows),
        (
            "The paper expects a network to learn exactly the polynomials of the form h(g1(a) + g2(b)). Learned: yes, "
            "if every row that was held out is right at the end; no, if no more of them than twice the share of the "
            "commonest answer, which is chance; else in part. The paper's figures are those of its own training.",
            "IPR, the inverse participation ratio of a unit's Fourier spectrum, averaged: 1 for the analytic weights. "
            "Only sums and products of the variables themselves are periodic in the values, or in their logarithms.",
        ),
        (_accuracies(results), _participations(results)),
    )


def table_of(text: str, modulus: int) -> np.ndarray:
    """The values of a polynomial in a and b, by integer arithmetic: int64 [modulus, modulus]."""
    a, b = (each.reshape(-1) for each in np.indices((modulus, modulus)))
    return syntax.exact(syntax.parse(f"{text} mod {modulus}"), {"a": a, "b": b}).reshape(modulus, modulus)


def verdict(held_out: float, commonest: float) -> str:
    """Whether a polynomial was learned, from the shares of right held-out rows and of the commonest answer."""
    return "yes" if held_out == 1 else "no" if held_out <= 2 * commonest else "in part"


def _row(candidate: Candidate, labels: np.ndarray, trained: Trained) -> tuple[Cell, ...]:
    commonest = float(np.bincount(labels.reshape(-1)).max() / labels.size)
    spectra: tuple[Cell, ...] = (None, None, None)
    if candidate.text in SPECTRA:
        before, after = _spectra(candidate.text, trained)
        spectra = (
            float(before.participation.mean()),
            float(after.participation.mean()),
            100 * float(after.agreeing.mean()),
        )
    return (
        candidate.text,
        candidate.form,
        "yes" if candidate.form else "no",
        candidate.paper.get(len(labels)),
        100 * trained.held_out_accuracy,
        100 * float(trained.curve.train_accuracy[-1]),
        100 * commonest,
        trained.epochs,
        verdict(trained.held_out_accuracy, commonest),
        *spectra,
    )


def _spectra(text: str, trained: Trained) -> tuple[spectrum.Spectrum, spectrum.Spectrum]:
    read = SPECTRA[text]
    return read(*trained.start), read(trained.inner, trained.outer)


def _accuracies(results: dict[str, Trained]) -> Panel:
    curves = []
    for text in DRAWN:
        curve = results[text].curve
        epochs = tuple(map(float, curve.epoch))
        held_out, trained = (
            tuple(100 * float(each) for each in column) for column in (curve.held_out_accuracy, curve.train_accuracy)
        )
        curves.append(Curve(f"{text}, held out", epochs, held_out, family=text))
        curves.append(Curve(f"{text}, training", epochs, trained, "dashed", text))
    told = ", ".join(
        # A no-break space keeps a polynomial and its share in one line of the title.
        f"{text}: {100 * results[text].held_out_accuracy:.0f} %".replace(" ", "\N{NO-BREAK SPACE}")
        for text in DRAWN
    )
    return Panel(f"Held-out rows that are right at the end: {told}", "epochs", "rows that are right, %", tuple(curves))


def _participations(results: dict[str, Trained]) -> Panel:
    curves, means = [], []
    for text in SPECTRA:
        for when, found in zip(("before", "after"), _spectra(text, results[text]), strict=True):
            values = tuple(map(float, np.sort(found.participation)))
            ranks = tuple(float(rank) for rank in range(1, len(values) + 1))
            curves.append(Curve(f"{text}, {when}", ranks, values, "dashed" if when == "before" else "line", text))
            means.append(float(np.mean(values)))
    title = (
        f"Training brings a unit's spectrum from {np.mean(means[::2]):.2f} on average to {np.mean(means[1::2]):.2f}, "
        "where 1 is a single frequency"
    )
    label = "inverse participation ratio (1: one frequency)"
    return Panel(title, "unit, in the order of its ratio", label, tuple(curves))
