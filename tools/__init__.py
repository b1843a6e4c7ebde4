"""Generators of pages in docs/, from the code or a deployed stack. What a deployment runs does not belong here."""
