"""How instructions are said to an encoder: published figures hold for one template alone."""

from dataclasses import replace
from string import Formatter

from cir.errors import UsageError
from eval.sets.formats import Template, formats
from eval.sets.labelled import LabelledQuery, LabelledSet

PLAIN = "plain"
"""The template that every set has: the annotations' own words."""


def template_names() -> tuple[str, ...]:
    """The names of all templates, of any format."""
    return (PLAIN, *dict.fromkeys(name for each in formats() for name in each.templates))


def find_template(name: str, labelled: LabelledSet) -> Template:
    """The template of a name for this set, or the one that a text with fields in braces is.

    Raises:
        UsageError: the set has no template of this name, or it is a text without a field.
    """
    known = {PLAIN: Template(), **(labelled.format.templates if labelled.format else {})}
    if name in known:
        return known[name]
    if "{" not in name:
        raise UsageError(
            f"{labelled.name} has no template {name!r}: write one of {', '.join(known)}, or a text "
            "with {caption} in it."
        )
    return Template(name)


def worded(labelled: LabelledSet, name: str | None) -> LabelledSet:
    """The set with each instruction said by a template; None leaves it as it is.

    A query with an empty instruction keeps it. The fingerprint stays: the queries and their targets
    are the same, asked in other words.

    Args:
        labelled: the set, its instructions plain.
        name: of a template, or its text.

    Raises:
        UsageError: there is no such template, or a query lacks a field of it; the first is named.
    """
    if name is None or name == labelled.template or (name == PLAIN and not labelled.template):
        return labelled
    if labelled.template:
        raise UsageError(f"{labelled.name} is worded already, as {labelled.template!r}.")
    template = find_template(name, labelled)
    try:
        parts = [part for part in Formatter().parse(template.text) if part[1] is not None]
    except ValueError as error:
        raise UsageError(
            f"The template {name!r} is no text with fields in braces ({error})."
        ) from error
    fields = {str(field) for _, field, _, _ in parts}
    if "{{" in template.text or "}}" in template.text or any(part[2] or part[3] for part in parts):
        raise UsageError(
            f"The template {name!r} holds more than fields: write their names alone in braces."
        )
    queries = tuple(_worded(query, template, fields) for query in labelled.queries)
    if fields and not fields & {"caption", "relative_caption"}:
        raise UsageError(f"The template {name!r} leaves out what is asked: {{caption}}.")
    return replace(labelled, queries=queries, template=name)


def _worded(query: LabelledQuery, template: Template, fields: set[str]) -> LabelledQuery:
    captions = query.captions or (query.instruction,)
    known = {"caption": "", **query.fields}
    unknown = sorted(fields - set(known))
    if unknown:
        raise UsageError(
            f"The query {query.id!r} has no {unknown[0]!r}, which the template names; it has "
            f"{', '.join(known)}."
        )
    if not query.instruction:
        return query

    def said(parts: tuple[str, ...]) -> str:
        text = template.text
        for field, value in {**query.fields, "caption": template.joined.join(parts)}.items():
            text = text.replace("{" + field + "}", value)
        return text

    turned = template.both_orders or bool(query.reworded)
    return replace(
        query,
        instruction=said(captions),
        reworded=said(captions[::-1]) if turned and len(captions) > 1 else "",
    )
