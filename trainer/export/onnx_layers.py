"""Keras's layers as ONNX operations, in the order [films, channels, height, width] that ONNX takes images in."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from trainer.errors import DataError
from trainer.export.onnx_graph import Graph

Inputs = Sequence[str]


def add_layers(graph: Graph, stock: keras.Model, films: str) -> str:
    """The layers of a network from ``films``, float32 [films, 1, height, width]; the name of what it gives.

    Raises DataError for a layer or an option that is not among those known here.
    """
    made = {id(stock.inputs[0]): films}
    for layer in stock.layers:
        if not isinstance(layer, keras.layers.InputLayer):
            given = layer.input if isinstance(layer.input, list) else [layer.input]
            made[id(layer.output)] = _converted(graph, layer, [made[id(each)] for each in given])
    return made[id(stock.outputs[0])]


def _converted(graph: Graph, layer: Any, inputs: Inputs) -> str:
    convert = _CONVERTERS.get(type(layer))
    if convert is None:
        raise _unknown(type(layer).__name__, "is a layer")
    return convert(graph, layer, inputs)


def _rescaling(graph: Graph, layer: Any, inputs: Inputs) -> str:
    scale, offset = (np.asarray(each, np.float32) for each in (layer.scale, layer.offset))
    scaled = graph.add("Mul", inputs[0], graph.constant(_per_channel(scale)))
    return graph.add("Add", scaled, graph.constant(_per_channel(offset))) if offset.any() else scaled


def _concatenate(graph: Graph, layer: Any, inputs: Inputs) -> str:
    return graph.add("Concat", *inputs, axis={-1: 1, 3: 1}[layer.axis])


def _zero_padding(graph: Graph, layer: Any, inputs: Inputs) -> str:
    (top, bottom), (left, right) = layer.padding
    return graph.add("Pad", inputs[0], graph.constant([0, 0, top, left, 0, 0, bottom, right], "int64"))


def _convolution(graph: Graph, layer: Any, inputs: Inputs) -> str:
    kernel, *bias = layer.get_weights()
    constants = [graph.constant(kernel.transpose(3, 2, 0, 1)), *map(graph.constant, bias)]
    x = graph.add(
        "Conv",
        inputs[0],
        *constants,
        auto_pad=_PADDINGS[layer.padding],
        kernel_shape=layer.kernel_size,
        strides=layer.strides,
        dilations=layer.dilation_rate,
        group=layer.groups,
    )
    return _activated(graph, layer, x)


def _batch_normalization(graph: Graph, layer: Any, inputs: Inputs) -> str:
    return graph.add("BatchNormalization", inputs[0], *map(graph.constant, layer.get_weights()), epsilon=layer.epsilon)


def _relu(graph: Graph, layer: Any, inputs: Inputs) -> str:
    if layer.max_value is not None or layer.negative_slope or layer.threshold:
        raise _unknown("ReLU", "with a bound, a slope or a threshold is a layer")
    return graph.add("Relu", inputs[0])


def _max_pooling(graph: Graph, layer: Any, inputs: Inputs) -> str:
    padding = _PADDINGS[layer.padding]
    return graph.add("MaxPool", inputs[0], auto_pad=padding, kernel_shape=layer.pool_size, strides=layer.strides)


def _add(graph: Graph, _layer: Any, inputs: Inputs) -> str:
    first, second = inputs
    return graph.add("Add", first, second)


def _global_average(graph: Graph, _layer: Any, inputs: Inputs) -> str:
    return graph.add("Flatten", graph.add("GlobalAveragePool", inputs[0]))


def _flatten(graph: Graph, _layer: Any, inputs: Inputs) -> str:
    # Keras flattens with the channels last.
    return graph.add("Flatten", graph.add("Transpose", inputs[0], perm=[0, 2, 3, 1]))


def _dense(graph: Graph, layer: Any, inputs: Inputs) -> str:
    return _activated(graph, layer, graph.add("Gemm", inputs[0], *map(graph.constant, layer.get_weights())))


def _nothing(_graph: Graph, _layer: Any, inputs: Inputs) -> str:
    return inputs[0]


def _activated(graph: Graph, layer: Any, x: str) -> str:
    name = layer.activation.__name__
    if name not in _ACTIVATIONS:
        raise _unknown(name, "is an activation")
    return graph.add(_ACTIVATIONS[name], x) if _ACTIVATIONS[name] else x


_PADDINGS = {"same": "SAME_UPPER", "valid": "VALID"}
_ACTIVATIONS = {"linear": "", "relu": "Relu", "sigmoid": "Sigmoid"}
_CONVERTERS: Mapping[type, Callable[[Graph, Any, Inputs], str]] = {
    keras.layers.Rescaling: _rescaling,
    keras.layers.Concatenate: _concatenate,
    keras.layers.ZeroPadding2D: _zero_padding,
    keras.layers.Conv2D: _convolution,
    keras.layers.BatchNormalization: _batch_normalization,
    keras.layers.ReLU: _relu,
    keras.layers.MaxPooling2D: _max_pooling,
    keras.layers.Add: _add,
    keras.layers.GlobalAveragePooling2D: _global_average,
    keras.layers.Flatten: _flatten,
    keras.layers.Dense: _dense,
    keras.layers.Dropout: _nothing,
    keras.layers.Activation: lambda graph, layer, inputs: _activated(graph, layer, inputs[0]),
}


def _per_channel(values: Any) -> Any:
    return values.reshape(-1, 1, 1) if values.ndim else values


def _unknown(name: str, what: str) -> DataError:
    cure = "leave onnx out of export.formats, or say it in trainer/export/onnx_layers.py"
    return DataError("export.formats", name, f"{what} that is not written as ONNX yet", cure)
