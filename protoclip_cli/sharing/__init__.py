"""Results for others: tables and a report of runs, from their text files and figures alone."""
