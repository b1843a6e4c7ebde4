"""Says why a deployment or a model is or is not ready, from what the cluster says of itself."""
