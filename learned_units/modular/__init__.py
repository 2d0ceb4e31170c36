"""Networks for modular arithmetic, analytic and grokked, composed to polynomials and to a unit (arXiv 2406.03495)."""
