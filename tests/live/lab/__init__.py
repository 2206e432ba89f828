"""The laboratory of the live tests: real engines, images and whole systemd machines, made and removed on demand."""
