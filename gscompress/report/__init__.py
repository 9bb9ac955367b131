"""Evaluation of a scene against a reference."""

from gscompress.report.compare import compare
from gscompress.report.comparison import CSV_COLUMNS, Comparison
from gscompress.report.evaluate import evaluate
from gscompress.report.evaluate_clip import evaluate_clip
from gscompress.report.frames import FrameFacts, FramePicture, FrameView
from gscompress.report.report import Picture, Protocol, Report, SceneFacts, Scores, View
from gscompress.report.sources import Selection
from gscompress.report.stream import FRAME_COLUMNS, ClipReport

__all__ = [
    "CSV_COLUMNS",
    "FRAME_COLUMNS",
    "ClipReport",
    "Comparison",
    "FrameFacts",
    "FramePicture",
    "FrameView",
    "Picture",
    "Protocol",
    "Report",
    "SceneFacts",
    "Scores",
    "Selection",
    "View",
    "compare",
    "evaluate",
    "evaluate_clip",
]
