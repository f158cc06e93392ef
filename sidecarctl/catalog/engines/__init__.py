"""Template engines, one module each: template and parameters in, fragment data out."""
