"""Starts MLServer as the first process of a container."""
