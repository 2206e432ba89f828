"""What a registry holds, each digest read once."""
