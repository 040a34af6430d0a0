"""What a model card reports of an encoder, beyond the figures of one run."""
