"""Looking at many runs: what there is, which are meant, how they differ, how fast they were."""
