"""The contract between a stack and its users: what it exports, how that is read and reached, and how requests fail."""
