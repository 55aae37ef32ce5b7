"""The one mutable truth, and the builder of snapshots: what there is, who is in, and which names lead to it."""
