"""The learning rate as a pure function of the step, one kind a file."""

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.optimization.schedules.base import ScheduleSpec

SCHEDULES: Catalog[ScheduleSpec] = Catalog(__name__, ScheduleSpec, default="cosine")

__all__ = ["SCHEDULES", "ScheduleSpec"]
