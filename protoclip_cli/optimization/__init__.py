"""Floor 2: parameter groups, optimisers and schedules."""
