"""What is left when training is over: manifest with hashes, whole or nothing, model card."""
