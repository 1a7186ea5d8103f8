"""nearer fine-tunes embedding models, so that what belongs together comes nearer."""
