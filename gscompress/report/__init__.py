"""Evaluation of a scene against a reference."""
