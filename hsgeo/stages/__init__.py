"""STAGES: the recipe, the check that its stages fit together, and the fits."""
