"""Rate control: how finely a scene is coded, from a quality, a size, a PSNR or error bounds."""

from gscompress.rate.allocation import allocate
from gscompress.rate.bounds import parse_bounds
from gscompress.rate.encoder import Encoded, Encoder
from gscompress.rate.goals import Goal, make_goal
from gscompress.rate.scale import octaves_of_quality, scaled
from gscompress.rate.sizes import parse_size

__all__ = [
    "Encoded",
    "Encoder",
    "Goal",
    "allocate",
    "make_goal",
    "octaves_of_quality",
    "parse_bounds",
    "parse_size",
    "scaled",
]
