"""Where in a picture an op works."""
