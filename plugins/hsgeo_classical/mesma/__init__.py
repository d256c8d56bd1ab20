"""Unmixing with spectral libraries that hold several spectra per class: MESMA, Monte-Carlo SMA, bundles."""
