"""Compress trained 3D Gaussian Splatting scenes, render them, and prove their quality."""

__version__ = "0.1.0"
