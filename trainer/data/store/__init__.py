"""Where bytes live: a folder, or a bucket of S3, Google Cloud Storage or Azure. Nothing else in the project knows."""
