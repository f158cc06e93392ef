"""A pod as a picture: data in `model`, and one drawing a module. Knows no manifest and no library."""
