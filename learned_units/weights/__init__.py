"""Made once and kept: recipes, and the makers of trained networks."""
