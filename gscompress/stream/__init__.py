"""Dynamic scenes: frames as residuals of key frames, delivered as a manifest and segments."""
