"""The Pod Security Standards: what a pod may not do at the levels baseline and restricted, by version."""
