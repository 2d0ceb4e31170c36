"""Who predicts: two-layer ReLU networks, in closed form and trained."""
