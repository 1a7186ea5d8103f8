"""The heart: events, state, dispatch, fit. Knows no files, no metrics, no terminal."""
