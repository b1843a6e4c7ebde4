"""The prediction check: asks every deployed model through the gateway and compares the answers by value.

Run as `python -m predict`. Reads the stack output `endpoints`; needs no Pulumi, and no Kubernetes unless a model fails.
"""
