"""`python -m protoclip_cli`, and what launchers start."""

from __future__ import annotations

import os


def main() -> None:
    """Run the command line."""
    # Before torch loads its thread library: threads that spin long while they wait make training many times
    # slower as soon as anything else wants a core, and gain little when nothing does.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    from protoclip_cli.cli.main import app

    app(prog_name="protoclip")


if __name__ == "__main__":
    main()
