"""What a registry server consists of. Describes; actions make it happen."""
