"""What can be evaluated, one kind a file: how each is recognised and loaded."""

from protoclip_cli.evaluation.subjects.base import Subject, Wanted
from protoclip_cli.evaluation.subjects.find import locate, open_subject

__all__ = ["Subject", "Wanted", "locate", "open_subject"]
