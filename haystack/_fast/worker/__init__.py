"""What all exchanges of a worker share."""
