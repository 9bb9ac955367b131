"""One scale of quality: all steps of a configuration finer or coarser together."""

from __future__ import annotations

import types
from dataclasses import replace

from gscompress.config import Config
from gscompress.errors import InputError

__all__ = ["MAX_OCTAVES", "MIN_OCTAVES", "octaves_of_quality", "scaled"]

MIN_OCTAVES, MAX_OCTAVES = -6.0, 9.0
"""How far a configuration is scaled at most."""

_EXPONENTS = {"means": 1.25, "opacities": 1.0, "scales": 1.0, "quats": 1.0, "sh": 1.0}
"""By how many octaves the steps of each attribute group change per octave of the scale.

Measured: from -1.5 to 1.5 octaves around the preset balanced, the gains in dB per bit of the groups
keep their ratios to within a factor of 1.6 where all exponents are 1, but for the positions, whose
gain per bit grows 2.4-fold (the demo scene) to 3.3-fold (a room) against that of the others."""

_QUALITY_AS_CONFIGURED = 60
_QUALITY_PER_OCTAVE = 10


def scaled(config: Config, octaves: float) -> Config:
    """The same configuration with finer steps.

    Args:
        config: What is scaled; its stages and coder stay.
        octaves: How much finer: 1 halves the steps of the spherical harmonics and moves those of
            the other attributes so that a byte spent on any of them gains about as much as before;
            about 5 dB. Negative numbers make steps coarser. Codecs whose steps come in whole
            numbers take the nearest, and each stops at its limits.
    """
    if octaves == 0:
        return config
    attributes = {
        group: codec.scaled(2 ** (-octaves * _EXPONENTS[group])) if group in _EXPONENTS else codec
        for group, codec in config.attributes.items()
    }
    return replace(config, attributes=types.MappingProxyType(attributes))


def octaves_of_quality(quality: float) -> float:
    """The octaves for a quality of 1 to 100: 60 is the configuration itself, 10 are an octave.

    Raises:
        InputError: It is out of range.
    """
    if not 1 <= quality <= 100:
        raise InputError("quality", found=f"{quality:g}", expected="1 to 100")
    return (quality - _QUALITY_AS_CONFIGURED) / _QUALITY_PER_OCTAVE
