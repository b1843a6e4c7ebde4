"""Stack files, `Pulumi.<stack>.yaml`: how they are read, and the user's own copies of the examples.

Imports nothing of the project; everything that reads a stack file reads it here.
"""

from stack_files.copies import example_of
from stack_files.reading import dump, parse, read, settings, write

__all__ = ["dump", "example_of", "parse", "read", "settings", "write"]
