"""Diffusion: refined abundances in two dimensions, reconstructed endmembers in one."""
