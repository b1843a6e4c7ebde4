"""Measures the project and writes docs/benchmarks.*; run as `python -m benchmarks`."""
