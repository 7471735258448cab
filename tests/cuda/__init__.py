"""A CUDA device made of host memory, and the tests that run on it: see README.md."""
