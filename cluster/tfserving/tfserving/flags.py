"""TensorFlow Serving's flags."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from serving.container import give_up

# Each would make TensorFlow Serving serve something else than this server does, so it is refused.
REFUSED = {
    "model_config_file": "one model is served, by --model_name and --model_base_path",
    "platform_config_file": "SavedModels alone are served",
    "grpc_socket_path": "gRPC is not served",
    "ssl_config_file": "gRPC is not served",
    "prefer_tflite_model": "SavedModels alone are served",
}
# Taken, and without effect: they say how fast or with what, and not what is answered.
WITHOUT_EFFECT = (
    "rest_api_num_threads",
    "enable_batching",
    "batching_parameters_file",
    "enable_per_model_batching_parameters",
    "allow_version_labels_for_unavailable_models",
    "model_config_file_poll_wait_seconds",
    "num_load_threads",
    "num_unload_threads",
    "max_num_load_retries",
    "load_retry_interval_micros",
    "flush_filesystem_caches",
    "tensorflow_session_config_file",
    "use_alts_credentials",
    "per_process_gpu_memory_fraction",
    "grpc_channel_arguments",
    "grpc_max_threads",
    "enable_model_warmup",
    "num_request_iterations_for_warmup",
    "monitoring_config_file",
    "remove_unused_fields_from_bundle_metagraph",
    "num_tflite_pools",
    "num_tflite_interpreters_per_pool",
    "enable_signature_method_name_check",
    "rest_api_enable_cors_support",
    "xla_cpu_compilation_enabled",
    "xla_gpu_compilation_enabled",
    "enable_profiler",
    "thread_pool_factory_config_file",
    "mixed_precision",
    "skip_initialize_tpu",
    "enable_grpc_healthcheck_service",
    "enable_serialization_as_tensor_content",
)
OFF = ("false", "0", "")


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """How models are loaded and run.

    Attributes:
        tags: of the graph to load.
        timeout_ms: for one run.
        intra_op_threads: for one operation; 0 for as many as there are cores.
        inter_op_threads: for operations at once; 0 for as many as there are cores.
    """

    tags: tuple[str, ...] = ("serve",)
    timeout_ms: int = 30_000
    intra_op_threads: int = 0
    inter_op_threads: int = 0


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What the command line says."""

    model_name: str
    model_base_path: Path
    rest_api_port: int
    poll_seconds: int
    options: LoadOptions


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message: str) -> None:  # type: ignore[override]
        give_up(f"command line: {message}")


def read_flags(arguments: list[str]) -> Flags:
    """Read the flags; wrong ones end the program, and unknown ones are said and ignored, as in TensorFlow Serving."""
    parser = _Parser(
        prog="tensorflow_model_server",
        description="Serve a SavedModel by TensorFlow Serving's REST protocol.",
        allow_abbrev=False,
    )
    parser.add_argument("--model_name", default="default", help="name in the URL (%(default)s)")
    parser.add_argument("--model_base_path", type=Path, help="folder above the version folders")
    parser.add_argument("--rest_api_port", type=int, default=0, help="port of the REST protocol")
    parser.add_argument("--port", type=int, default=8500, help="port of gRPC, which is not served")
    parser.add_argument("--rest_api_timeout_in_ms", type=int, default=30_000, help="for one prediction (%(default)s)")
    parser.add_argument(
        "--file_system_poll_wait_seconds", type=int, default=1, help="between looks for a new version; 0: look once"
    )
    parser.add_argument("--saved_model_tags", default="serve", help="of the graph to load, with commas (%(default)s)")
    for flag in ("session", "intra_op", "inter_op"):
        parser.add_argument(f"--tensorflow_{flag}_parallelism", type=int, default=0, help="threads; 0: one a core")
    for flag in (*REFUSED, *WITHOUT_EFFECT):
        parser.add_argument(f"--{flag}", nargs="?", const="true", help=argparse.SUPPRESS)
    given, unknown = parser.parse_known_args(arguments)
    for flag, reason in REFUSED.items():
        if str(getattr(given, flag) or "").lower() not in OFF:
            give_up(f"command line: --{flag} is not supported by this server: {reason}")
    without_effect = [f"--{flag}" for flag in WITHOUT_EFFECT if getattr(given, flag) is not None]
    if unknown or without_effect:
        print(f"WARNING flags that do nothing here: {' '.join(without_effect + unknown)}", file=sys.stderr, flush=True)
    if given.model_base_path is None:
        give_up("command line: --model_base_path is required: the folder above the version folders")
    if given.rest_api_port <= 0:
        give_up("command line: --rest_api_port is required: this server speaks REST alone")
    return Flags(
        model_name=given.model_name,
        model_base_path=given.model_base_path,
        rest_api_port=given.rest_api_port,
        poll_seconds=given.file_system_poll_wait_seconds,
        options=LoadOptions(
            tags=tuple(given.saved_model_tags.split(",")),
            timeout_ms=given.rest_api_timeout_in_ms,
            intra_op_threads=given.tensorflow_intra_op_parallelism or given.tensorflow_session_parallelism,
            inter_op_threads=given.tensorflow_inter_op_parallelism or given.tensorflow_session_parallelism,
        ),
    )
