"""Scorers: each turns a finished transcript into one component of the score."""
