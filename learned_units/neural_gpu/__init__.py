"""The Neural GPU: a convolutional gated recurrent network on a tape of symbols (arXiv 1511.08228)."""
