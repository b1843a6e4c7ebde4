"""Asks registries of charts and images, and servers of chart archives; logs in where they ask for it."""
