"""`python -m protoclip_cli`, and what launchers start."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from protoclip_cli.cli.main import app

    app(prog_name="protoclip")


if __name__ == "__main__":
    main()
