"""The layers that the networks share."""
