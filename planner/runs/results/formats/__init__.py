"""Formats of evaluation results, one file each."""
