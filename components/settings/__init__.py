"""What a stack file may say, and what is wrong with it. Declares nothing and asks nobody."""
