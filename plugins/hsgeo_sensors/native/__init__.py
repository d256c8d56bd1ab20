"""Scenes in hsgeo's own convention."""
