"""The stage ``endmember-diffusion``: noisy or drifted endmembers, made again from the scene and a prior of spectra."""
