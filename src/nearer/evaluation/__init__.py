"""What good means: exact search, metrics, the evaluator. Tensors in, numbers out."""
