"""Sequences of frames: key frames and residual segments, listed in a manifest.

Importing this costs nothing; what is needed is imported from its module.
"""
