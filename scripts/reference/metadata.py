"""Reads the metadata of a model of ours with Google's own reader (tflite-support)."""
import json
import sys

from tflite_support import metadata

displayer = metadata.MetadataDisplayer.with_model_file(sys.argv[1])
facts = json.loads(displayer.get_metadata_json())
files = displayer.get_packed_associated_file_list()
labels = displayer.get_associated_file_buffer("labels.txt").decode().split()
unit = facts["subgraph_metadata"][0]["input_tensor_metadata"][0]["process_units"][0]["options"]
assert files == ["labels.txt"] and labels == ["content", "ad"], (files, labels)
assert unit == {"mean": [127.0], "std": [128.0]}, unit
print(f"metadata by tflite-support: {facts['name']}, normalisation {unit}, labels {labels}")
