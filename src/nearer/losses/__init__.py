"""What learning means: functions of embeddings, never of models."""
