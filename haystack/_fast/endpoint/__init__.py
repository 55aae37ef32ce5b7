"""What a worker keeps about an endpoint across snapshots."""
