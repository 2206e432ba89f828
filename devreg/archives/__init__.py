"""Images in files and streams: what lies in them, and how their layers become blobs."""
