"""What a destroy waits for after it deleted models and graphs. What a roll-out waits for does not belong here."""
