"""The classifiers of ``cs231n``."""
