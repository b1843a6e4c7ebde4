"""How a model or a graph of the settings becomes KServe's objects. The platform does not belong here."""
