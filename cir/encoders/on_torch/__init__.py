"""What the encoders that compute with torch share."""
