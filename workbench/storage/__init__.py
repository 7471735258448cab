"""Files that are read back: only regular ones of a sane size, only values of the right type, only what was written."""
