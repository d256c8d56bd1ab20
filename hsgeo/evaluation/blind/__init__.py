"""The blind benchmark: recipes side by side, from image to endmembers and abundances."""
