"""Evaluation of a scene against a reference."""

from gscompress.report.compare import compare
from gscompress.report.comparison import CSV_COLUMNS, Comparison
from gscompress.report.evaluate import evaluate
from gscompress.report.report import Picture, Protocol, Report, SceneFacts, Scores, View
from gscompress.report.sources import Selection

__all__ = [
    "CSV_COLUMNS",
    "Comparison",
    "Picture",
    "Protocol",
    "Report",
    "SceneFacts",
    "Scores",
    "Selection",
    "View",
    "compare",
    "evaluate",
]
