"""A terminal workbench for image-classification training recipes."""

__version__ = "0.1.0"
