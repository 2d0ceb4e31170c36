"""The run page: one HTML file in which a program runs, live, on the trained networks."""
