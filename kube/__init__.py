"""How the Kubernetes API is reached and read: one connection, views of KServe's objects."""
