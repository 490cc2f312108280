"""AVSE bundles as ONNX graphs, for runtimes to be measured against."""
