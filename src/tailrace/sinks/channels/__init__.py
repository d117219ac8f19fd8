"""Channels: where a reduction sends rows beside the table. One file each; none of them ever stops the agent."""
