"""Reads the cluster and the registry before anything is declared. Changes nothing."""
