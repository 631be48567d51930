"""Encoders of images that have no text tower, one library a file."""
