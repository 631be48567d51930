"""What `protoclip doctor` looks at, one thing a file."""
