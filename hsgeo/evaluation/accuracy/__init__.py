"""The accuracy benchmark: scenes with a truth, recipes, noise and seeds; one row per run, sums over the seeds."""
