"""What a sidecar does to a workload: placing, sharing, recording, planning, removing; and the stair from text to text."""
