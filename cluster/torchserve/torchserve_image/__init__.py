"""TorchServe behind the addresses and the names that KServe uses."""
