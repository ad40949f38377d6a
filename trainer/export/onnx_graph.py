"""An ONNX graph as it grows: nodes, constants, and a name for each. The only file that imports ``onnx``."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, checker, helper, numpy_helper
from onnx import TensorProto as T

OPSET = 17
IR_VERSION = 8
"""Of ONNX 1.12 (2022), the first with that operator set."""

TYPES = {"uint8": T.UINT8, "int32": T.INT32, "int64": T.INT64, "float32": T.FLOAT, "float64": T.DOUBLE}

Values = npt.NDArray[Any]


class Graph:
    """Nodes in their order, each with one output, whose name is what ``add`` gives back."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._names = 0

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """A node; ``inputs`` are names of outputs and constants. The name of its output."""
        output = self._name(operator)
        self._nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, values: Any, kind: str = "") -> str:
        """A tensor of these values, of their dtype or the one given."""
        array = np.ascontiguousarray(np.asarray(values, dtype=kind or None)).reshape(np.shape(values))
        name = self._name("constant")
        self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def cast(self, x: str, kind: str) -> str:
        """``x`` in another dtype."""
        return self.add("Cast", x, to=TYPES[kind])

    def output(self, x: str, name: str) -> None:
        """Calls ``x`` by this name."""
        self._nodes.append(helper.make_node("Identity", [x], [name], name=f"{name}_output"))

    def model(
        self, name: str, inputs: Sequence[Any], outputs: Sequence[Any], metadata: Mapping[str, str]
    ) -> ModelProto:
        """The whole, checked against the specification; ``inputs`` and ``outputs`` are value infos."""
        graph = helper.make_graph(self._nodes, name, inputs, outputs, list(self._constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="cxr-train")
        model.ir_version = IR_VERSION
        helper.set_model_props(model, dict(metadata))
        checker.check_model(model, full_check=True)
        return model

    def _name(self, operator: str) -> str:
        self._names += 1
        return f"{operator.lower()}_{self._names}"


def tensor(name: str, kind: str, shape: Sequence[int | str]) -> Any:
    """What an input or output is called and holds; a side of any size is a word."""
    return helper.make_tensor_value_info(name, T.STRING if kind == "string" else TYPES[kind], shape)
