"""How one object is declared: custom resources, their owner, and patience with webhooks."""
