"""The Profile screen: where the time of a step goes, and what to try."""
