"""What stands in a run's directory: one module for each of its files."""
