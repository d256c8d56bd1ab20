"""Readers of hyperspectral scenes; beside each, the writer that makes faithful synthetic files of its format."""
