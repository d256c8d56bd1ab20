"""Benchmark cubes in MATLAB and NumPy files."""
