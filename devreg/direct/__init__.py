"""The direct push: images from an engine's export or from an archive, put into a registry without the engine's push."""
