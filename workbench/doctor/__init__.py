"""What is found on a machine, what it means for training here, and what to do about it."""
