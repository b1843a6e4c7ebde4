"""The deployment's building blocks: settings, releases, and one ComponentResource a file."""
