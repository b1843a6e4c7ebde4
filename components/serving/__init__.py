"""How a model or a graph of the settings becomes KServe's objects. Waiting for them belongs in `rollout`."""
