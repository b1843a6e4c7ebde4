"""Divides requests between the two versions of a model by the rewards that their answers earn.

It runs in the cluster, on its own, and knows nothing of the rest of this project.
"""
