"""Floor 5: what each subcommand does, in order. No flags, no printing: also the Python API."""
