"""Find the kubeconfig, connect to the Kubernetes API, read its objects. What is declared does not belong here."""
