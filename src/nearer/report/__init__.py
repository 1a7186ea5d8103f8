"""The HTML page of a run or a comparison: what it holds, its plots, its template. Reads no run."""
