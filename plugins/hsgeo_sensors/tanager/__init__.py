"""Tanager: basic and ortho scenes."""
