"""Evaluation of a scene against a reference."""

from gscompress.report.evaluate import evaluate
from gscompress.report.report import Picture, Protocol, Report, SceneFacts, Scores, View
from gscompress.report.sources import Selection

__all__ = [
    "Picture",
    "Protocol",
    "Report",
    "SceneFacts",
    "Scores",
    "Selection",
    "View",
    "evaluate",
]
