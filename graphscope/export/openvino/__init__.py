"""Models in OpenVINO's intermediate representation: ``.xml`` and ``.bin``. Needs the packages ``openvino`` and ``onnx``."""
