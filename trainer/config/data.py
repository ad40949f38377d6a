"""Settings of films that are read: sets, the cache of a node, object stores."""

from typing import Annotated

from pydantic import Field

from trainer.config.section import Amount, Count, Section


class CacheConfig(Section):
    """Where shards of an object store are kept on a node; its ranks share them. A local folder needs no cache."""

    directory: str = Field("", description="folder on a disk of the node; empty: one of the user's in $TMPDIR")
    gibibytes: Annotated[float, Field(gt=0.0)] = Field(
        100.0, description="most that it holds; what the plan needs last goes first"
    )
    fetches: Count = Field(4, description="shards fetched side by side, by each rank")


class DataConfig(Section):
    """The prepared films a run reads."""

    labels: str = Field("nih15", description="label set: nih15 (with No Finding), nih14 or chexpert14")
    training: str = Field("", description="prepared training set (holds manifest.json): a folder or s3://bucket/prefix")
    validation: str = Field("", description="prepared validation set, likewise; empty: no validation")
    test: str = Field("", description="prepared test set, likewise")
    shuffle_window_shards: Count = Field(8, description="films are shuffled within this many shards")
    prefetch_batches: Count = Field(4, description="batches read ahead of the step")
    reader_threads: Count = Field(1, description="batches gathered side by side; more than 1 pays for jpeg and png")
    cache: CacheConfig = CacheConfig()
    audit: bool = Field(False, description="keep a record of the films of every step, for 'cxr-train audit'")


class StoreConfig(Section):
    """How object stores (s3://, gs://, az://) are reached; secrets come from the environment alone."""

    endpoint: str = Field("", description="URL of an S3-compatible server; empty: AWS_ENDPOINT_URL, else AWS's own")
    region: str = Field("", description="of the bucket; empty: AWS_REGION or AWS_DEFAULT_REGION, else us-east-1")
    path_style: bool = Field(True, description="bucket in the path of an S3 URL; false: in the host name")
    timeout_seconds: Annotated[float, Field(gt=0.0)] = Field(
        60.0, description="a request without progress for so long is given up, and made again"
    )
    connect_timeout_seconds: Annotated[float, Field(gt=0.0)] = Field(5.0, description="of one connection")
    retry_seconds: Amount = Field(180.0, description="a store that does not answer is asked again for so long")
    slowest_kilobytes_per_second: Annotated[float, Field(gt=0.0)] = Field(
        100.0, description="an upload that is slower than this is taken to have stalled"
    )
