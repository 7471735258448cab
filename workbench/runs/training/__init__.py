"""Training what a run directory holds, in this process, and writing down what happens."""
