"""What runs in the local cluster's Python containers: two model servers and the storage initializer."""
