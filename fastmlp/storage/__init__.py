"""Models as files: arrays and the description of their layers, to a file and back."""
