"""Libraries of other repositories, copied into this one and pinned by a lock file."""
