"""What people and scripts see. The only importer of `rich`."""
