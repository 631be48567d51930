"""Clustering an episode, and carrying its clusters from one modality to the other."""
