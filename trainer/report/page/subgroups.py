"""Scores of groups of patients and of views, beside each other."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from trainer.config import Trait
from trainer.metrics.bootstrap import Scores
from trainer.metrics.cohort import FEWEST_PATIENTS
from trainer.metrics.subgroups import Group, GroupClass, Groups
from trainer.report.drawing import BLUE, GRAY, label_axes, new_figure
from trainer.report.page.blocks import Block, Paragraph, Part, Picture, Pictures, Table
from trainer.report.page.drawn import drawn
from trainer.report.page.words import counted, number, readable, with_interval

ByTrait = Mapping[Trait, Groups]
"""By trait: sex, age, view."""


def subgroup_part(by_trait: ByTrait, whole: Scores, classes: tuple[str, ...]) -> Part:
    """Mean AUROC of each group with its interval, counts and gap, and each class's AUROC; words where none is known."""
    known = {trait: each for trait, each in by_trait.items() if each.groups}
    if not known:
        return Part("subgroups", "Subgroups", (Paragraph(_NOTHING),))
    told = {trait: each for trait, each in known.items() if len(each.groups) > 1}
    alike = [_alike(trait, each) for trait, each in known.items() if trait not in told]
    if not told:
        return Part("subgroups", "Subgroups", tuple(alike))
    blocks: list[Block] = [Paragraph(_WORDS), *alike]
    picture = _picture(told, whole)
    if picture:
        blocks.append(Pictures((picture,)))
    for trait, groups in told.items():
        blocks += [_groups_table(trait, groups, classes), _class_table(trait, groups, classes)]
        if groups.films_unknown:
            films = counted(groups.films_unknown, "film")
            blocks.append(Paragraph(f"{films} of unknown {trait} in none of these groups.", "note"))
    return Part("subgroups", "Subgroups", (*blocks, Paragraph(_BEWARE, "note")))


_NOTHING = "The set tells neither sex nor age nor view of its films, so there are no scores by subgroup."
_WORDS = (
    f"The scores of the films of each group alone. A class is told where {FEWEST_PATIENTS} patients of the group have "
    "it and as many have not; the means of a trait's groups are over the same classes. The gap is to the largest group."
)
_BEWARE = (
    "Where the interval of a gap holds 0, these films do not tell the groups apart; that does not say that the network "
    "treats them alike."
)


def _alike(trait: str, groups: Groups) -> Paragraph:
    """Of a trait with one group, whose scores are those of the whole set."""
    unknown = (
        f", but for {counted(groups.films_unknown, 'film')} of which it is unknown" if groups.films_unknown else ""
    )
    return Paragraph(f"By {trait}, all films are of one group, {groups.groups[0].name}{unknown}.")


def _groups_table(trait: str, groups: Groups, classes: tuple[str, ...]) -> Table:
    over = ", ".join(readable(classes[each]) for each in groups.mean_over) or "no class"
    heading = (trait.capitalize(), "Films", "Patients", "Mean AUROC", f"Gap to {groups.reference or 'the largest'}")
    rows = tuple(_group_row(each, groups) for each in groups.groups)
    return Table(f"Mean AUROC by {trait}, over {counted(len(groups.mean_over), 'finding')}: {over}", heading, rows)


def _group_row(group: Group, groups: Groups) -> tuple[str, ...]:
    mean = with_interval(group.mean_auroc) if group.mean_auroc else f"too few: {group.too_few}"
    gap = with_interval(group.gap) if group.gap else "reference" if group.name == groups.reference else ""
    return group.name, f"{group.films:,}", f"{group.patients:,}", mean, gap


def _class_table(trait: str, groups: Groups, classes: tuple[str, ...]) -> Table:
    columns = [each.classes for each in groups.groups]
    rows = tuple((readable(name), *(_cell(of[place]) for of in columns)) for place, name in enumerate(classes))
    heading = ("Class", *(each.name for each in groups.groups))
    return Table(f"AUROC of each class by {trait}, and films with the class of those known", heading, rows)


def _cell(found: GroupClass) -> str:
    films = f"{found.positives:,} / {found.known:,}"
    return f"{with_interval(found.auroc, 2)}; {films}" if found.auroc else f"too few; {films}"


def _picture(by_trait: ByTrait, whole: Scores) -> Picture | None:
    """Means with their intervals; None where no group has one."""
    known = [
        (f"{trait} {each.name}", each.mean_auroc)
        for trait, groups in by_trait.items()
        for each in groups.groups
        if each.mean_auroc
    ]
    if not known:
        return None
    figure = new_figure(6.4, 1.4 + 0.42 * len(known))
    _draw([name for name, _ in known], [(each.value, each.low, each.high) for _, each in known], whole, figure)
    told = "; ".join(f"{name} {with_interval(each)}" for name, each in known)
    return drawn(figure, f"Mean AUROC of each group; of all films {number(whole.mean_auroc.value)}. {told}.")


def _draw(names: list[str], means: list[tuple[float, float, float]], whole: Scores, figure: Figure) -> None:
    axes = figure.subplots()
    axes.axvline(whole.mean_auroc.value, color=GRAY, linestyle=":", linewidth=2, label="all films, all findings")
    for place, (value, low, high) in enumerate(means):
        axes.plot([low, high], [place, place], color=BLUE, linewidth=3, solid_capstyle="butt")
        axes.plot(value, place, "o", color=BLUE, markersize=8)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    label_axes(axes, "Mean AUROC by group", "AUROC, with its interval", "")
    # Below the axes, where no interval can lie under it.
    if legend := axes.get_legend():
        legend.remove()
    figure.legend(loc="outside lower center", fontsize=12, frameon=False)
