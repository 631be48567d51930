"""Floor 2: pairs, views and benchmarks."""
