"""Networks: one family a file, each a spec that builds from the layers beside it."""
