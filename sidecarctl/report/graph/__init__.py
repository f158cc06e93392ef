"""Pod graphs: the model, and one renderer per format."""
