"""The uncertainty benchmark: scenes unlike those of training, true endmembers given, intervals against truths."""
