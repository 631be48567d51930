"""Floor 3: what a trained model can do, one probe a file."""
