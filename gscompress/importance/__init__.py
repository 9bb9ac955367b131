"""Importance: what each Gaussian contributes, and what cameras see."""
