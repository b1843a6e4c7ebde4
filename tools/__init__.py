"""Generators of the pages in docs/ that are made from the code or from a deployed stack."""
