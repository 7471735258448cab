"""Data: sources (what the images are) and pipelines (how they reach the step)."""
