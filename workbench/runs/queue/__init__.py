"""Runs that wait for their turn, and who starts them."""
