"""The Run screen: one run as it is told by its directory."""
