"""The Runs screen: find, compare and manage the runs of a folder."""
