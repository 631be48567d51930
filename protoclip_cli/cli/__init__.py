"""Floor 6: flags, help and words. One file per subcommand."""
