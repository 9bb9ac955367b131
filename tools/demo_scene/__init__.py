"""Make the demo scene: ray-trace a procedural still life, optimise Gaussians to its pictures."""
