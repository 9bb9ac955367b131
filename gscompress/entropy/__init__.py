"""Coders: integer symbols to bytes and back."""

from gscompress.registry import Registry

__all__ = ["CODERS"]

CODERS = Registry(
    "coder",
    "gscompress.coders",
    {
        "mix": "gscompress.entropy.mix:Mix",
        "rans": "gscompress.entropy.rans:Rans",
        "torchac": "gscompress.entropy.torchac:Torchac",
        "zstd": "gscompress.entropy.zstd:Zstd",
    },
)
