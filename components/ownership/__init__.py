"""Whose an object is: the identity of the stack, its mark on objects, and the refusal to adopt what exists already."""
