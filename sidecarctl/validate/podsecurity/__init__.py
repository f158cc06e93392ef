"""The Pod Security Standards baseline and restricted, by version."""
