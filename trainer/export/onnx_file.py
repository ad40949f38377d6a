"""The network as an ONNX file: films of any size in, probabilities and thresholds out, all preparation inside."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
from onnxruntime import InferenceSession

from trainer.export.checking import Score
from trainer.export.onnx_graph import Graph, tensor
from trainer.export.onnx_layers import add_layers
from trainer.export.onnx_resizing import resize
from trainer.export.thresholds import Thresholds

NAME = "model.onnx"


def write_onnx(
    file: Path,
    stock: keras.Model,
    classes: Sequence[str],
    image_size: int,
    thresholds: Thresholds,
    metadata: Mapping[str, str],
) -> None:
    """Writes the file: from ``films``, uint8 [films, height, width, 1], to what ``serving_default`` gives elsewhere."""
    graph = Graph()
    graph.output(add_layers(graph, stock, resize(graph, "films", image_size)), "probabilities")
    outputs = [tensor("probabilities", "float32", ["films", len(classes)]), tensor("classes", "string", [len(classes)])]
    graph.output(graph.constant(np.array(classes, dtype=object)), "classes")
    for rule, values in thresholds.items():
        graph.output(graph.constant(values), f"threshold_{rule}")
        outputs.append(tensor(f"threshold_{rule}", "float32", [len(classes)]))
    films = tensor("films", "uint8", ["films", "height", "width", 1])
    file.write_bytes(graph.model(stock.name, [films], outputs, metadata).SerializeToString())


def run_onnx(file: Path) -> Score:
    """What takes films, uint8 [films, height, width, 1], and gives probabilities, read back from the file."""
    session = InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return lambda films: np.asarray(session.run(["probabilities"], {"films": films})[0])
