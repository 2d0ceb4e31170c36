"""Two-layer ReLU networks in the NTK regime: closed form, training, ensembles, verification."""
