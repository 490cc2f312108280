"""Search among N images as a graph: what an ONNX runtime alone can do for a gallery."""

from onnx import TensorProto, helper

from .graph import Graph

HITS = 10


def build(bundle, rows):
    """The gallery, [N, I * W], is external: the runtime is given it when it loads the graph."""
    width, embed = bundle.block, bundle.config["embed_size"]
    image_blocks, caption_blocks = bundle.views * embed // width, embed // width
    graph = Graph()
    query = graph.input("query", TensorProto.FLOAT, [caption_blocks, width])
    size = 4 * rows * image_blocks * width
    gallery = TensorProto(name="gallery", data_type=TensorProto.FLOAT, dims=[rows * image_blocks, width])
    gallery.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "gallery.f32"), ("offset", "0"), ("length", str(size))):
        gallery.external_data.add(key=key, value=value)
    graph.weights.append(gallery)
    products = graph.op("MatMul", "gallery", graph.op("Transpose", query, perm=[1, 0]))
    pairs = graph.op("Reshape", products, graph.constant([rows, image_blocks, caption_blocks]))
    best = graph.op("ReduceMax", pairs, graph.constant([1]), keepdims=0)
    scores = graph.op("ReduceSum", best, graph.constant([1]), keepdims=0)
    graph.nodes.append(helper.make_node("TopK", [scores, graph.constant([HITS])], ["scores", "rows"]))
    for name, kind in (("scores", TensorProto.FLOAT), ("rows", TensorProto.INT64)):
        graph.outputs.append(helper.make_tensor_value_info(name, kind, [HITS]))
    return graph.model("avse-search", check=False)
