"""Pictures of how a run settles."""
