"""Sanity checks: an expected value, a found value, a verdict and the reason in one sentence."""
