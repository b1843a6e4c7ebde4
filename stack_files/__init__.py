"""Stack files, `Pulumi.<stack>.yaml`: how they are read, and the copies that `make` has Pulumi work with.

Imports nothing of the project; everything that reads a stack file reads it here.
"""

from stack_files.reading import dump, parse, read, settings, write

__all__ = ["dump", "parse", "read", "settings", "write"]
