"""Typed views of Kubernetes objects: the fields that this project reads, under plain names. They ask nobody."""
