"""Floor 2: towers, heads and what turns data into features."""
