"""Settings of films that are made ready: sources, tables, DICOM rules; and of drawn ones."""

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field

from trainer.config.section import Count, Fraction, Section

Texts = Annotated[tuple[str, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
UncertainPolicy = Literal["zeros", "ones", "ignore"]
Trait = Literal["sex", "age", "view"]
TRAITS: tuple[Trait, ...] = get_args(Trait)
Traits = Annotated[tuple[Trait, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


class ColumnsConfig(Section):
    """Where a generic CSV keeps what a record needs (prepare.catalog: csv)."""

    film: str = Field("film", description="column with the film's file name")
    patient: str = Field("patient", description="column with the patient's identifier")
    findings: str = Field("findings", description="column with the classes, separated by |; empty: one column a class")
    split: str = Field("", description="column with training, validation or test; empty: prepare.split decides")
    sex: str = Field("", description="column with F, M or O; empty: unknown, or as a DICOM header says")
    age: str = Field("", description="column with the age in years, or as 058Y, 007M; empty: as for sex")
    view: str = Field("", description="column with PA, AP or lateral; empty: as for sex")


class DicomConfig(Section):
    """Which films of DICOM sources are taken; the others are left out, and counted by the rule that did it."""

    modalities: Texts = Field(("CR", "DX"), description="Modality of the films taken; []: any")
    views: Texts = Field(("AP", "PA"), description="views taken, so no lateral ones; []: any")
    unknown_view: Literal["keep", "skip"] = Field("keep", description="a film whose header names no view")
    body_parts: Texts = Field(("CHEST", "THORAX", "PORT CHEST"), description="BodyPartExamined taken; []: any")
    unknown_body_part: Literal["keep", "skip"] = Field("keep", description="a film whose header names no body part")
    for_processing: Literal["keep", "skip"] = Field("skip", description="raw films, which no screen is meant to show")
    multi_frame: Literal["skip", "first", "error"] = Field("skip", description="first: its first frame is the film")
    minimum_side: Count = Field(128, description="a film with a side shorter than this, in pixels, is left out")


class PrepareConfig(Section):
    """From films and a catalog to shards."""

    source: Texts = Field((), description="folders of films, or .tar, .tar.gz archives (streamed); paths or s3://...")
    destination: str = Field("", description="folder or s3://... that gets training/, validation/ and test/")
    catalog: Literal["nih", "chexpert", "csv"] = Field("nih", description="the form of the table")
    table: str = Field("", description="CSV of labels (.csv or .csv.gz); path or s3://...")
    columns: ColumnsConfig = ColumnsConfig()
    dicom: DicomConfig = DicomConfig()
    demographics: Traits = Field(
        TRAITS, description="kept of each film, from the table, else its DICOM header; above 89 years as 90; []: none"
    )
    uncertain: UncertainPolicy = Field("ignore", description="an uncertain label becomes zeros, ones, or is ignored")
    split: Literal["official", "patient"] = Field("official", description="NIH's lists, or by patient with the seed")
    train_list: str = Field("", description="official split: file that names the training and validation films")
    test_list: str = Field("", description="official split: file that names the test films")
    validation_fraction: Fraction = Field(0.1, description="part of the (training) patients kept for validation")
    test_fraction: Fraction = Field(0.2, description="split by patient: part of the patients kept for test")
    seed: int = Field(0, ge=0, description="of the split by patient and of the films' order in the shards")
    image_size: int = Field(224, ge=8, le=4096, description="stored height and width, pixels")
    encoding: Literal["raw", "jpeg", "png"] = Field("raw", description="of the stored film; raw reads fastest")
    jpeg_quality: int = Field(95, ge=1, le=100, description="of stored jpeg films")
    shard_mebibytes: float = Field(64.0, gt=0, description="a shard holds films of about this size together")
    processes: int = Field(0, ge=0, description="that decode films; 0: one a core")
    workers: Count = Field(1, description="that share the shards, each started by itself; changes no byte")
    worker: int = Field(-1, ge=-1, description="which of them, from 0; -1: JOB_COMPLETION_INDEX (Indexed Job), else 0")
    minimum_side: Count = Field(32, description="a film with a side shorter than this, in pixels, is bad")
    on_bad_film: Literal["error", "skip"] = Field("error", description="skip: count it and list it in bad_films.csv")
    on_missing_film: Literal["error", "skip"] = Field(
        "error", description="a catalog row without a film in the sources; skip: count it"
    )


class PhantomConfig(Section):
    """Drawn films with known signs, to try everything without a patient's film."""

    films: Count = Field(3000, description="films drawn, over all patients")
    films_per_patient: Count = Field(2, description="films of one patient")
    image_size: int = Field(80, ge=32, le=1024, description="height and width, pixels")
    seed: int = Field(0, ge=0, description="same seed, same films")
