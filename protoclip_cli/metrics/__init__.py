"""Floor 1: numbers from arrays."""
