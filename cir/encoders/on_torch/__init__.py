"""What the encoders that compute with torch share; torch is imported by the modules below."""

from cir.encoders.protocol import EncoderChoice

PACKAGES = ("torch", "transformers", "timm", "einops", "huggingface_hub")
"""What the encoders need beside the light installation, by the name of import."""


def settle(choice: EncoderChoice) -> str:
    """The precision that "auto" or "fast" comes to on the device that was chosen.

    Raises:
        EncoderError: there is no such device or precision here.
    """
    from cir.encoders.on_torch.devices import pick_device, pick_precision

    return pick_precision(choice.precision, pick_device(choice.device))
