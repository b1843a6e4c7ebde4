"""The local cluster: a real single-node Kubernetes on a bare Linux machine, with its registry and S3 store."""
