"""Networks: one family a file, each a card that builds from the layers beside it."""
