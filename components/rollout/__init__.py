"""Hooks that wait until traffic reaches what was declared. What a destroy waits for does not belong here."""
