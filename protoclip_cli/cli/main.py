"""The `protoclip` command."""

from __future__ import annotations

from typing import Annotated

import typer

from protoclip_cli import __version__
from protoclip_cli.cli.cluster import cluster
from protoclip_cli.cli.doctor import doctor
from protoclip_cli.cli.evaluate import evaluate
from protoclip_cli.cli.export import export
from protoclip_cli.cli.extract_teacher import extract_teacher
from protoclip_cli.cli.gather import gather
from protoclip_cli.cli.recipes import recipes
from protoclip_cli.cli.submit import submit
from protoclip_cli.cli.summarize import summarize
from protoclip_cli.cli.train import train
from protoclip_cli.cli.visualize import visualize

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Take image-text pairs to a trained and evaluated image-text model.",
    epilog="Start here: `protoclip train quickstart` (a few minutes on a laptop, nothing to download).",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"protoclip {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None: ...


app.add_typer(gather, name="gather")
app.command("extract-teacher")(extract_teacher)
app.command()(train)
app.command()(submit)
app.command()(cluster)
app.command()(evaluate)
app.command()(summarize)
app.command()(export)
app.command()(doctor)
app.command()(visualize)
app.add_typer(recipes, name="recipes")
