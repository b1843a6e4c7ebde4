"""The node: Kubernetes by kubeadm in one runc container, with the registry and the S3 server beside it."""
