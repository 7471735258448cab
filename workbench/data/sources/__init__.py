"""Data sources: one file a source. A new file here is all that a new source needs."""
