"""The only door for changes: what operators decide about endpoints, and the waiting that goes with it."""
