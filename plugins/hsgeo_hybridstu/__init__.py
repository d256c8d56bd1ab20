"""HybridSTU: first abundances from a convolutional network, 3-D over the spectrum and 2-D over the ground."""
