"""Abundance refinement: a conditional diffusion over maps of abundance."""
