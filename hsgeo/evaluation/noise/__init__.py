"""The noise benchmark: true endmembers given, methods that only estimate abundances, noise of several kinds."""
