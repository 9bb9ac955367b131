"""How receiving a clip went, in figures."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gscompress.stream.transfer import TransferCounts

__all__ = ["Statistics"]


@dataclass(slots=True)
class Statistics:
    """How receiving went.

    Attributes:
        transfer: Bytes, retries, resumed and damaged downloads.
        frames_decoded: Frames that were decoded, those before the first wanted one included.
        frames_skipped: Frames that were wanted and could not be had.
        seconds_to_first_frame: From the beginning; None: there was none yet.
        stalls: How often, after the first frame, there was nothing to decode.
        seconds_stalled: For how long in all.
        decode_ms: Milliseconds of each decoded frame.
        problems: What was missing or damaged: the first 100 of it.
    """

    transfer: TransferCounts = field(default_factory=TransferCounts)
    frames_decoded: int = 0
    frames_skipped: int = 0
    seconds_to_first_frame: float | None = None
    stalls: int = 0
    seconds_stalled: float = 0.0
    decode_ms: array[float] = field(default_factory=lambda: array("d"))
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON; of the times the median, the 95th percentile and the longest."""
        shares = {"median": 0.5, "p95": 0.95, "max": 1.0}
        times = np.asarray(self.decode_ms)
        return {
            "bytes": self.transfer.bytes,
            "frames_decoded": self.frames_decoded,
            "frames_skipped": self.frames_skipped,
            "seconds_to_first_frame": self.seconds_to_first_frame,
            "stalls": self.stalls,
            "seconds_stalled": self.seconds_stalled,
            "retries": self.transfer.retries,
            "resumed": self.transfer.resumed,
            "damaged": self.transfer.damaged,
            "decode_ms": {
                name: float(np.quantile(times, share)) if len(times) else None
                for name, share in shares.items()
            },
            "problems": list(self.problems),
        }
