"""Image metrics: PSNR, SSIM and LPIPS. Importing this imports no torch; LPIPS does when it runs.

Each function has the name of its module and hides it here: ``from gscompress.metrics import ssim``
gives the function.
"""

from gscompress.metrics.lpips import Lpips, lpips
from gscompress.metrics.psnr import PSNR_CAP, psnr
from gscompress.metrics.ssim import ssim

__all__ = ["PSNR_CAP", "Lpips", "lpips", "psnr", "ssim"]
