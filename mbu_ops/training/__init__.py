"""One resumable training loop for every method."""
