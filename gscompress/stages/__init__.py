"""Stages: a scene to a scene that costs fewer bytes; encoder side only."""

from gscompress.registry import Registry

__all__ = ["STAGES"]

STAGES = Registry(
    "stage",
    "gscompress.stages",
    {
        "calibrate": "gscompress.stages.calibrate:Calibrate",
        "distill": "gscompress.stages.distill:Distill",
        "finetune": "gscompress.stages.finetune:Finetune",
        "merge": "gscompress.stages.merge:Merge",
        "prune": "gscompress.stages.prune:Prune",
    },
)
