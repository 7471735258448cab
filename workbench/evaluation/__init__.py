"""What the results of an evaluation mean: image by image, against guessing, against the training. Torch-free."""
