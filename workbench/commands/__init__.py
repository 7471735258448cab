"""The commands of the command line, grouped by what they are about. Nothing in here imports torch at module level."""
