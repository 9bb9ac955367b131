"""Benchmarks: one module per question, each with ``main(arguments)``; run by ``tools/bench.py``."""
