"""Models beside the demo's, for the tests: run by the tfserving project's interpreter as `more_models.py DIR`."""
# mypy: ignore-errors

import sys
from pathlib import Path

import keras
import tensorflow as tf

Spec = tf.TensorSpec


class Functions(tf.Module):
    """A function for each thing that a signature can have."""

    @tf.function(
        input_signature=[
            Spec([None], tf.string, "tag"),
            Spec([None, 3], tf.float32, "signal"),
            Spec([None], tf.int32, "count"),
            Spec([None], tf.bool, "negate"),
        ]
    )
    def several(self, tag, signal, count, negate):
        sign = tf.where(negate, -1.0, 1.0)
        return {
            "total": sign * tf.reduce_sum(signal, axis=1),
            "label": tf.repeat(tag[:1], tf.shape(tag)[0]),
            "more": count + 1,
        }

    @tf.function(input_signature=[Spec([None], tf.string, "text")])
    def text(self, text):
        return {"image_bytes": tf.strings.join([text, b"\xff"]), "text": tf.strings.upper(text)}

    @tf.function(input_signature=[Spec([None], tf.float32, "x")])
    def logarithm(self, x):
        return {"y": tf.math.log(x)}

    @tf.function(input_signature=[Spec([None], tf.float64, "x")])
    def double(self, x):
        return {"y": x / 3}

    @tf.function(input_signature=[Spec([None], tf.uint8, "x"), Spec([None], tf.int64, "big")])
    def whole(self, x, big):
        return {"x": x, "big": big, "unsigned": tf.cast(big, tf.uint64)}

    @tf.function(input_signature=[Spec([None, 2], tf.float32, "x")])
    def mean(self, x):
        return {"mean": tf.reduce_mean(x), "count": tf.shape(x)[0]}

    @tf.function(input_signature=[Spec([None], tf.float32, "x")])
    def imaginary(self, x):
        return {"z": tf.complex(x, x)}

    @tf.function(input_signature=[Spec([None], tf.float16, "x")])
    def half(self, x):
        return {"y": x}

    @tf.function(input_signature=[Spec([None], tf.float32, "x")])
    def positive(self, x):
        tf.debugging.assert_greater(x, 0.0, message="x must be positive")
        return {"y": tf.identity(x)}

    # As TensorFlow Serving's own example, which is asked with three rows.
    @tf.function(input_signature=[Spec([1], tf.float32, "x")])
    def half_plus_two(self, x):
        return {"y": x * 0.5 + 2.0}


def save_functions(folder: Path) -> None:
    functions = Functions()
    names = (
        "several",
        "text",
        "logarithm",
        "double",
        "whole",
        "mean",
        "imaginary",
        "half",
        "positive",
        "half_plus_two",
    )
    signatures = {name: getattr(functions, name) for name in (*names, "half_plus_two")}
    tf.saved_model.save(functions, str(folder), signatures={"serving_default": functions.several, **signatures})


def save_keras(folder: Path, *, weight: float) -> None:
    dense = keras.layers.Dense(1, kernel_initializer=keras.initializers.Constant(weight), name="price")
    keras.Sequential([keras.Input([2], name="size"), dense]).export(folder, verbose=False)


def save_graph(folder: Path) -> None:
    """A model of TensorFlow 1: a session's graph and its variables."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 1], name="x")
        factor = v1.get_variable("factor", initializer=0.5, use_resource=False)
        y = tf.add(x * factor, 3.0, name="y")
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
        method = v1.saved_model.signature_constants.PREDICT_METHOD_NAME
        signature = v1.saved_model.build_signature_def(
            {"x": v1.saved_model.build_tensor_info(x)}, {"y": v1.saved_model.build_tensor_info(y)}, method
        )
        # What goes in comes out again, which TensorFlow does not run.
        both = {"x": v1.saved_model.build_tensor_info(x)}
        through = v1.saved_model.build_signature_def(both, both, method)
        signatures = {"serving_default": signature, "through": through}
        builder.add_meta_graph_and_variables(session, ["serve", "cpu"], signatures)
        builder.save()


def main(out: Path) -> None:
    save_functions(out / "functions" / "7")
    for version, weight in ((9, 1.0), (10, 2.0), (11, 3.0)):
        save_keras(out / "keras" / str(version), weight=weight)
    save_graph(out / "graph" / "00000123")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
