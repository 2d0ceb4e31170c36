"""The decisions of one case as a list that shows itself: one line in a terminal, a card in a notebook."""

from __future__ import annotations

import itertools

from learned_units.unit import Decision, weakness

DRAWN_MARGIN = 2.0  # a bar is full from this margin on; 1 is nominal
OPEN = 20  # decisions that are shown without being asked for
BAR_PIXELS = 56  # on each side of the threshold
ABOVE, BELOW, WRONG = "#2b83ba", "#d98c1f", "#d7301f"  # read on white and on black; the numbers stand beside the bars
HEAD = ("bit", "output", "matched", "prediction", "threshold", "below | above", "value", "margin")


class Decisions(list[Decision]):
    """A list of decisions, in the order of the passes."""

    @property
    def weakest(self) -> Decision | None:
        """The decision with the smallest margin; None where nothing was predicted."""
        return min(self, key=lambda each: weakness(each.margin), default=None)

    def __repr__(self) -> str:
        if (weak := self.weakest) is None:
            return "<no decisions: nothing is predicted>"
        passes = len(self._passes())
        counted = f"{len(self)} decision{'s' * (len(self) != 1)} in {passes} pass{'es' * (passes != 1)}"
        return f"<{counted}, smallest margin {weak.margin:.3f}: {_place(weak)}>"

    def _repr_html_(self) -> str:
        from learned_units import card

        if (weak := self.weakest) is None:
            return card.card("Decisions", [("predicted", "nothing")])
        body = ""
        for (stage, network), mine in self._passes().items():
            low = min(mine, key=lambda each: weakness(each.margin))
            rows = [
                (
                    str(each.bit),
                    each.output,
                    str(each.matched),
                    f"{each.prediction:.4f}",
                    f"{each.threshold:.4f}",
                    _bar(each),
                    str(each.value),
                    f"{each.margin:.3f}",
                )
                for each in mine
            ]
            summary = f"pass {stage}, {network}: {len(mine)} predictions, smallest margin {low.margin:.3f}"
            table = card.table(HEAD, rows, right=(0, 2, 3, 4, 6, 7), drawn=(5,))
            body += card.folded(summary, table, is_open=len(self) <= OPEN)
        fields = [("predictions", f"{len(self)}"), ("smallest margin", f"{weak.margin:.3f} in {_place(weak)}")]
        return card.card("Decisions of one step", fields, body)

    def _passes(self) -> dict[tuple[int, str], list[Decision]]:
        grouped = itertools.groupby(self, key=lambda each: (each.stage, each.network))
        return {key: list(mine) for key, mine in grouped}


def _place(decision: Decision) -> str:
    return f"pass {decision.stage} ({decision.network}), {decision.output} at bit {decision.bit}"


def _bar(decision: Decision) -> str:
    """The margin as a bar that leaves the threshold to the side the prediction is on; the numbers say the same."""
    above = decision.prediction > decision.threshold
    margin = decision.margin if decision.margin == decision.margin else 0.0
    length = round(min(abs(margin) / DRAWN_MARGIN, 1.0) * BAR_PIXELS)
    colour = WRONG if margin <= 0 else ABOVE if above else BELOW
    left = BAR_PIXELS if above else BAR_PIXELS - length
    return (
        f'<div aria-hidden="true" style="position: relative; width: {2 * BAR_PIXELS}px; height: 0.9em">'
        f'<div style="position: absolute; left: {left}px; width: {length}px; height: 100%; background: {colour}"></div>'
        f'<div style="position: absolute; left: {BAR_PIXELS}px; width: 1px; height: 100%; background: currentColor">'
        "</div></div>"
    )
