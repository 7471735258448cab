"""Charts in a terminal: curves in braille, axes, what a chart shows, and the widgets that send only changed cells."""
