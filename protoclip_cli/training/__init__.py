"""Floor 3: the learner, the step and the loop around it."""
