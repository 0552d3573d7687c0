"""Looks at runs, and at nothing else."""
