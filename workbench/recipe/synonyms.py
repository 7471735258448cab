"""What other programs call things: a key that is written so is sent to its name here."""

from __future__ import annotations

KEYS = {
    "lr": "learning_rate", "learning_rates": "learning_rate", "max_lr": "learning_rate", "base_lr": "learning_rate",
    "eta": "learning_rate", "wd": "weight_decay", "l2": "weight_decay", "decay": "weight_decay", "mom": "momentum",
    "bs": "batch_size", "batch": "batch_size", "batchsize": "batch_size", "train_batch_size": "batch_size",
    "eval_bs": "eval_batch_size", "test_batch_size": "eval_batch_size", "val_batch_size": "eval_batch_size",
    "epoch": "epochs", "n_epochs": "epochs", "num_epochs": "epochs", "max_epochs": "epochs", "nepochs": "epochs",
    "num_workers": "workers", "n_workers": "workers", "jobs": "workers", "prefetch_factor": "prefetch",
    "val": "validation", "val_split": "validation", "valid_split": "validation", "validation_split": "validation",
    "normalize": "normalise", "normalization": "normalise", "dataset": "source", "data_dir": "path", "root": "path",
    "img_size": "image_size", "imgsz": "image_size", "input_size": "image_size", "resolution": "image_size",
    "arch": "name", "architecture": "name", "random_seed": "seed", "manual_seed": "seed",
    "warmup": "warmup_epochs", "warm_up": "warmup_epochs", "label_smooth": "smoothing", "log_interval": "log_every",
    "eval_interval": "eval_every", "save_every": "checkpoint_every", "save_interval": "checkpoint_every",
}  # fmt: skip
"""Keys by what they are called elsewhere."""
