"""Sanity checks, a file each: an expected value, a found value, a verdict, the reason in one sentence, what to do."""
