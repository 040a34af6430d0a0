"""The encoder that ships with the project: image and text tokens fused by one small transformer."""
