"""A model card's values as Markdown, with tables that a forge and a screen reader take."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Values = Mapping[str, Any]


def markdown(card: Values) -> str:
    """The whole card, from the values of ``card.json``."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: Values) -> Iterator[str]:
    model, training = card["model"], card["training"]
    yield f"# Model card: {card['name']}"
    yield from ("", f"**Not for diagnosis.** Not for {_listed(card['not_for'])}.", "")
    yield from ("## Intended use", "", card["intended_use"], "", "## Model", "")
    yield from _table(
        ("what", "value"),
        [
            ("network", f"{model['name']}, {model['layout']} layout, {model['channels']} channel(s)"),
            ("begun from", model["weights"] or "random weights"),
            ("films", f"gray, {model['image_size']} x {model['image_size']} pixels"),
            ("classes", f"{model['labels']}: {', '.join(model['classes'])}"),
            ("run, checkpoint", f"{card['run']}, {card['checkpoint']}"),
            ("trained", f"{training['epochs']} epochs, {training['steps']:,} steps of {training['global_batch_size']}"),
            ("checkpoint after", f"{training['checkpoint_epoch']} epochs, {training['checkpoint_step']:,} steps"),
            ("seed", str(training["seed"])),
            ("program", card["program"]),
            *card["environment"].items(),
        ],
    )
    yield from ("", "## Data", "", "A set is known by the SHA-256 of its manifest, which holds the hashes of all else.")
    rows = [_set_row(split, found) for split, found in card["data"].items()]
    yield from ("", *_table(("set", "films", "patients", "SHA-256"), rows))
    for split, found in card["data"].items():
        if "unknown" in found:
            yield from ("", f"The {split} set was not looked at: {found['unknown']}.")
    for split, found in card["metrics"].items():
        yield from ("", *_metrics(split, found))
    if card["groups"]:
        yield from ("", *_groups(card["groups"]))
    if card["thresholds"]:
        yield from ("", *_thresholds(card))
    yield from ("", "## Limits", "", *(f"- {each}" for each in card["limits"]))


def _set_row(split: str, found: Values) -> Sequence[str]:
    films, patients = (f"{found[key]:,}" if key in found else "unknown" for key in ("films", "patients"))
    return split, films, patients, f"`{found['sha256']}`"


def _metrics(split: str, found: Values) -> Iterator[str]:
    mean, confidence = found["mean_auroc"], f"{found['confidence']:.0%}"
    yield from (f"## Scores on the {split} set", "")
    yield (
        f"{found['films']:,} films of {found['patients']:,} patients; {confidence} intervals from "
        f"{found['resamples_of_patients']:,} resamples of patients."
    )
    without = f" (not defined for {', '.join(found['without'])})" if found["without"] else ""
    yield from ("", f"Mean AUROC over {len(found['mean_over'])} findings: **{_interval(mean)}**{without}.", "")
    at_specificity, at_sensitivity = (f"{found[key]:.0%}" for key in ("at_specificity", "at_sensitivity"))
    heading = ("class", "with / known", "AUROC", "average precision")
    more = (f"sensitivity at {at_specificity} specificity", f"specificity at {at_sensitivity} sensitivity")
    yield from _table(
        (*heading, *more),
        [
            (
                name,
                f"{each['positives']:,} / {each['known']:,}",
                *(_interval(each[key]) for key in ("auroc", "average_precision", "sensitivity", "specificity")),
            )
            for name, each in found["classes"].items()
        ],
    )


def _groups(found: Mapping[str, Values]) -> Iterator[str]:
    yield from ("## Groups of films", "")
    yield "Mean AUROC over the classes that all groups with a mean tell, and how far it is from the reference group's."
    for trait, each in found.items():
        yield from (
            "",
            f"By {trait}, on the {each['split']} set; of {each['films_unknown']:,} films it is unknown.",
            "",
        )
        rows = [
            (
                f"{name} (reference)" if name == each["reference"] else name,
                f"{group['films']:,}",
                f"{group['patients']:,}",
                _interval(group["mean_auroc"]) if group["mean_auroc"] else f"too few: {group['too_few']}",
                _interval(group["gap"]) if group["gap"] else "",
            )
            for name, group in each["groups"].items()
        ]
        yield from _table((trait, "films", "patients", "mean AUROC", "difference"), rows)


def _thresholds(card: Values) -> Iterator[str]:
    rules = card["thresholds"]
    sensitivity = card["metrics"]["validation"]["at_sensitivity"]
    yield from ("## Thresholds", "", "Chosen on the validation set; a film is positive at its threshold or above.", "")
    names = {"youden": "Youden's index", "at_sensitivity": f"sensitivity of {sensitivity:.0%}"}
    rows = [(each, *(_number(rules[rule][each]) for rule in rules)) for each in card["model"]["classes"]]
    yield from _table(("class", *(names[rule] for rule in rules)), rows)


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heading)} |"
    yield f"|{'---|' * len(heading)}"
    for row in rows:
        yield f"| {' | '.join(_cell(each) for each in row)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _interval(found: Values) -> str:
    if found["value"] is None:
        return "not defined"
    if found["low"] is None:
        return _number(found["value"])
    return f"{_number(found['value'])} ({_number(found['low'])} to {_number(found['high'])})"


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"


def _listed(parts: Sequence[str]) -> str:
    return "; nor for ".join(parts)
