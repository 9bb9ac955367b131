"""What every metric asks of its two images."""

from __future__ import annotations

import numpy as np

from gscompress.errors import InputError
from gscompress.gaussians import Array

__all__ = ["checked"]


def checked(image: Array, reference: Array) -> tuple[Array, Array]:  # [H, W, C] each
    """Both images as float32, clamped to 0..1.

    Raises:
        InputError: They are not images of one shape, are empty, or hold values that are not finite.
    """
    for name, value in (("image", image), ("reference", reference)):
        if value.ndim != 3 or value.size == 0 or value.shape != reference.shape:
            raise InputError(
                "metric",
                name,
                found=f"shape {value.shape}",
                expected=f"[H, W, C], not empty, equal to the reference's {reference.shape}",
            )
        if not np.issubdtype(value.dtype, np.floating):
            raise InputError("metric", name, found=f"type {value.dtype}", expected="floats in 0..1")
        if not np.isfinite(value).all():
            raise InputError("metric", name, found="NaN or infinity", expected="finite values")
    return (
        np.clip(image, 0, 1, dtype=np.float32, casting="same_kind"),
        np.clip(reference, 0, 1, dtype=np.float32, casting="same_kind"),
    )
