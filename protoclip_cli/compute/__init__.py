"""Floor 1: devices, processes and chance."""
