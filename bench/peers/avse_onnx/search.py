"""Search in a gallery as a graph: what an ONNX runtime alone can do."""

from onnx import TensorProto, helper

from .graph import Graph

HITS = 10


def build(bundle, kind, rows):
    """The best rows of a gallery of `kind`, images or captions, for a query of the other kind. The gallery,
    [rows * blocks, W] in f32, is external: the runtime is given it when it loads the graph."""
    width, embed = bundle.block, bundle.config["embed_size"]
    image_blocks, caption_blocks = bundle.views * embed // width, embed // width
    stored, asked = (image_blocks, caption_blocks) if kind == "images" else (caption_blocks, image_blocks)
    graph = Graph()
    query = graph.input("query", TensorProto.FLOAT, [asked, width])
    gallery = TensorProto(name="gallery", data_type=TensorProto.FLOAT, dims=[rows * stored, width])
    gallery.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "gallery.f32"), ("offset", "0"), ("length", str(4 * rows * stored * width))):
        gallery.external_data.add(key=key, value=value)
    graph.weights.append(gallery)
    products = graph.op("MatMul", "gallery", graph.op("Transpose", query, perm=[1, 0]))
    pairs = graph.op("Reshape", products, graph.constant([rows, stored, asked]))
    # The best image block for each caption block, then their sum.
    best = graph.op("ReduceMax", pairs, graph.constant([1 if kind == "images" else 2]), keepdims=0)
    scores = graph.op("ReduceSum", best, graph.constant([1]), keepdims=0)
    graph.nodes.append(helper.make_node("TopK", [scores, graph.constant([HITS])], ["scores", "rows"]))
    for name, element in (("scores", TensorProto.FLOAT), ("rows", TensorProto.INT64)):
        graph.outputs.append(helper.make_tensor_value_info(name, element, [HITS]))
    return graph.model("avse-search", check=False)
