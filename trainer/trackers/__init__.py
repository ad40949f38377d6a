"""TensorBoard and MLflow: told of a run by rank 0, from the rows of its history, in threads of their own."""
