"""The networks that the authors of arXiv 2502.16763 needed to permute k bits, from the results stored with their code.

Source: github.com/opallab/permlearn, the code of the paper's version 1, commit 8e9957e, `results/experiment_1` (until
90 % of the strings come out right) and `results/experiment_2` (99.9 %): the number in the last line of each
`results.csv`. One sequence of networks for each k, all with the same seed; width 50,000, standard parametrisation,
10,000 steps of gradient descent; up to 1,000 strings with two ones, drawn with repetition.
"""

from __future__ import annotations

from collections.abc import Mapping

SMALLEST_K = 2
_TO_90_PERCENT = (
    *(1, 2, 10, 43, 34, 29, 40, 37, 69, 70, 62, 72, 56, 103, 89),
    *(105, 105, 106, 117, 131, 128, 124, 150, 157, 157, 162, 165, 174, 175),
)
TO_90_PERCENT: Mapping[int, int] = dict(enumerate(_TO_90_PERCENT, SMALLEST_K))
TO_99_9_PERCENT: Mapping[int, int] = {5: 43, 10: 129, 15: 163, 20: 254, 25: 308, 30: 318}
