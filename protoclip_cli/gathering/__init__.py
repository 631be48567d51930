"""Floor 3: from a list of addresses of images to a folder of clean images."""
