"""Make the demo scene: ray-trace a procedural still life, then optimise Gaussians to its pictures."""
