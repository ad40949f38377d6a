"""``resizing.resize`` as ONNX operations: the same numbers, so to the bit what ``prepare`` stores."""

from trainer.export.onnx_graph import Graph
from trainer.export.resizing import AVERAGE_BITS, REDUCING_GAP, WEIGHT_BITS


def resize(graph: Graph, films: str, side: int) -> str:
    """From uint8 [films, height, width, 1] to float32 [films, 1, side, side], whole numbers 0 to 255."""
    flat = graph.add("Squeeze", films, graph.constant([3], "int64"))
    square, pixels = _padded(graph, flat)
    factor = graph.add(
        "Max", graph.add("Div", pixels, graph.constant(REDUCING_GAP * side, "int64")), graph.constant(1, "int64")
    )
    # Rounded up: of whole numbers, that is.
    more = graph.add("Sub", graph.add("Add", pixels, factor), graph.constant(1, "int64"))
    blocks = graph.add("Div", more, factor)
    weights = _weights(graph, pixels, factor, blocks, side)
    across = graph.add("Transpose", weights, perm=[1, 0])
    rows = _to_bytes(graph, graph.add("MatMul", _averaged(graph, square, pixels, factor, blocks), across))
    scaled = _to_bytes(graph, graph.add("MatMul", weights, rows))
    return graph.add("Unsqueeze", graph.cast(scaled, "float32"), graph.constant([1], "int64"))


def _padded(graph: Graph, films: str) -> tuple[str, str]:
    """uint8 [films, pixels, pixels], and how many pixels that is."""
    sizes = graph.add("Slice", graph.add("Shape", films), graph.constant([1], "int64"), graph.constant([3], "int64"))
    pixels = graph.add("ReduceMax", sizes, axes=[0], keepdims=0)
    missing = graph.add("Sub", pixels, sizes)
    before = graph.add("Div", missing, graph.constant(2, "int64"))
    none = graph.constant([0], "int64")
    ends = graph.add("Concat", none, before, none, graph.add("Sub", missing, before), axis=0)
    return graph.add("Pad", films, ends, graph.constant(0, "uint8")), pixels


def _averaged(graph: Graph, square: str, pixels: str, factor: str, blocks: str) -> str:
    """float64 [films, blocks, blocks]: means of blocks of pixels, the last ones cut short."""
    zero, one = graph.constant(0, "int64"), graph.constant(1, "int64")
    fill = graph.add("Sub", graph.add("Mul", blocks, factor), pixels)
    ends = graph.add("Concat", graph.constant([0] * 4, "int64"), *[_row(graph, fill)] * 2, axis=0)
    whole = graph.add("Pad", square, ends, graph.constant(0, "uint8"))
    shape = [_row(graph, each) for each in (blocks, factor, blocks, factor)]
    parts = graph.add("Reshape", whole, graph.add("Concat", graph.constant([-1], "int64"), *shape, axis=0))
    axes = graph.constant([2, 4], "int64")
    sums = graph.cast(graph.add("ReduceSum", graph.cast(parts, "int32"), axes, keepdims=0), "int64")
    starts = graph.add("Mul", graph.add("Range", zero, blocks, one), factor)
    size = graph.add("Min", graph.add("Sub", pixels, starts), factor)
    count = graph.add("Mul", graph.add("Unsqueeze", size, _second_axis(graph)), size)
    half = graph.add("Div", count, graph.constant(2, "int64"))
    whole_bits = graph.constant(2**AVERAGE_BITS, "int64")
    product = graph.add("Mul", graph.add("Add", sums, half), graph.add("Div", whole_bits, count))
    return graph.cast(graph.add("Div", product, whole_bits), "float64")


def _weights(graph: Graph, pixels: str, factor: str, blocks: str, side: int) -> str:
    """float64 [side, blocks], whole numbers: of each averaged pixel in each stored one, times 2 ** WEIGHT_BITS."""
    half, one = graph.constant(0.5, "float64"), graph.constant(1.0, "float64")
    exact = graph.add("Div", graph.cast(pixels, "float64"), graph.cast(factor, "float64"))
    # Pillow hands the size over as a float32.
    size = graph.cast(graph.cast(exact, "float32"), "float64")
    scale = graph.add("Div", size, graph.constant(float(side), "float64"))
    middles = graph.constant([[each + 0.5] for each in range(side)], "float64")
    centers = graph.add("Mul", middles, scale)
    every = graph.add("Range", graph.constant(0, "int64"), blocks, graph.constant(1, "int64"))
    distance = graph.add("Add", graph.add("Sub", graph.cast(every, "float64"), centers), half)
    slope = graph.add("Div", one, graph.add("Max", scale, one))
    height = graph.add("Sub", one, graph.add("Abs", graph.add("Mul", distance, slope)))
    triangle = graph.add("Max", height, graph.constant(0.0, "float64"))
    total = graph.add("ReduceSum", triangle, _second_axis(graph), keepdims=1)
    parts = graph.add("Mul", graph.add("Div", triangle, total), graph.constant(float(2**WEIGHT_BITS), "float64"))
    return graph.cast(graph.cast(graph.add("Add", parts, half), "int64"), "float64")


def _to_bytes(graph: Graph, sums: str) -> str:
    """float64, whole numbers 0 to 255, of sums of weighted pixels."""
    rounded = graph.add("Add", graph.cast(sums, "int64"), graph.constant(2 ** (WEIGHT_BITS - 1), "int64"))
    values = graph.add("Div", rounded, graph.constant(2**WEIGHT_BITS, "int64"))
    return graph.cast(graph.add("Min", values, graph.constant(255, "int64")), "float64")


def _second_axis(graph: Graph) -> str:
    """The second axis, as an input."""
    return graph.constant([1], "int64")


def _row(graph: Graph, number: str) -> str:
    """A number as a list of one."""
    return graph.add("Unsqueeze", number, graph.constant([0], "int64"))
