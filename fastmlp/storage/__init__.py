"""Model files: writing and reading arrays with a description of the layers."""
