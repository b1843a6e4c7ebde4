"""A server of TensorFlow's SavedModels that speaks TensorFlow Serving's REST protocol."""
