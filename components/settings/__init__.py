"""What a stack file may contain, and what is wrong with it. Declares no resource and asks no cluster."""
