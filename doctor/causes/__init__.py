"""Families of causes: each file's functions go from what was read to findings, and do nothing else."""
