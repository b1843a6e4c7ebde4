"""What runs in the local cluster's Python containers: the model servers and the storage initializer."""
