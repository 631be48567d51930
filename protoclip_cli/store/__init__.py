"""Floor 1: files that survive a crash: run folders, checkpoints, logs."""
