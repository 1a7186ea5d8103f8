"""What we learn from: reading files, columns to examples, batches. Knows no model."""
