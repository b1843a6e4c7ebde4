"""Generators of the pages in docs/ that follow from the code or a deployed stack; no page is written by hand here."""
