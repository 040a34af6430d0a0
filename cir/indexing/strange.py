"""What to say where most pictures of a new index are nothing that its encoder was made for."""

from cir.encoders.registry import choose, encoder_specs, general_encoder, readiness
from cir.indexing.folder import IngestReport
from cir.settings import Settings
from cir.words import size

LEAST = 8
"""With fewer pictures, nothing is said: of a few, one may be a slip."""


def strange_note(report: IngestReport, settings: Settings) -> tuple[str, str] | None:
    """A sentence or two for people, and the encoder that is offered, "" for none.

    None where there is nothing to say: most pictures are known, or nobody could tell.
    """
    spec = encoder_specs().get(report.encoder)
    if spec is None or report.looked_at < LEAST or 2 * report.strange <= report.looked_at:
        return None
    text = (
        f"{report.strange:,} of the {report.looked_at:,} pictures look like none of the "
        f"{spec.knows} that the encoder {spec.name} knows. It compares them by colour and likeness "
        "alone: “in blue” finds what is blue, “with a dog” finds nothing of the kind."
    )
    offer = general_encoder(settings)
    if offer is None:
        return text, ""
    memory = f", {size(offer.memory_bytes)} of memory" if offer.memory_bytes else ""
    match readiness(choose(settings, offer.name)):
        case "ready":
            cost = f"ready here{memory}"
        case "download":
            cost = f"a download of {size(offer.download_bytes)}{memory}"
        case _:
            cost = f"more packages and a download of {size(offer.download_bytes)}{memory}"
    return f"{text} The encoder {offer.name} knows pictures of anything ({cost}).", offer.name
