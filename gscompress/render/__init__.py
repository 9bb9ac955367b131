"""Renderers: the native rasterizer on CPU, gsplat on CUDA."""
