"""What is handed on: models for other tools, tables and a report of runs."""
