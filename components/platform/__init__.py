"""What models need in the cluster (Istio, Knative, KServe, …), one component a file. Models do not belong here."""
