"""Units of one kind each: the NTK networks, and the native control."""
