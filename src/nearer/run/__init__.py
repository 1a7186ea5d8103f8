"""Composition: spec, record, execute. One folder for each run."""
