"""Stages: a scene to a scene that costs fewer bytes; encoder side only."""

from gscompress.registry import Registry

__all__ = ["STAGES"]

STAGES = Registry(
    "stage",
    "gscompress.stages",
    {
        "merge": "gscompress.stages.merge:Merge",
        "prune": "gscompress.stages.prune:Prune",
    },
)
