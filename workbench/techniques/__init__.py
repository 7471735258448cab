"""Techniques: one file a toggle. A new file here is all that a new technique needs."""
