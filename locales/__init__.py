"""Texts in every language, one YAML file each, and the terminal that prints them; what to say is decided elsewhere."""
