"""The Pod Security Standards: levels baseline and restricted, by version."""
