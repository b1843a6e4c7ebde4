"""Settings of the stores that models are downloaded from: one file a kind, and `union` for all of them."""
