"""The contract between the stack and its users: what it exports, how an endpoint is reached, how asking fails."""
