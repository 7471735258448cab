"""The screens, a folder each, over recipes and run directories. Nothing in here imports torch before a run starts."""
