"""The texts in English."""

from endpoints import failures as f
from predict.messages.language import Language, Words

ENGLISH = Language(
    answered="{name} answered: {body}",
    not_compared="{name} answered: ready; not compared by value, its stack declares no check",
    failed="{name} failed after {waited:.1f} s: {cause}",
    summary="{right} of {all} gave the expected answer.",
    right="right",
    answered_only="answered, not compared by value",
    columns=("model", "url", "protocol", "expected", "got", "latency ms", "verdict"),
    asking="{name}: asking {host} through {gateway}",
    waiting="{name}: waiting ({label})",
    reading_stack="reading the stack's outputs",
    interrupted="Interrupted: nothing was changed, run it again at any time.",
    no_pulumi="The program `pulumi` is not on PATH. Install it, or give the endpoints with --file or through a pipe.",
    unusable_pulumi="The program `pulumi` cannot be run: {problem}. Make it executable, or give the endpoints with "
    "--file or through a pipe.",
    pulumi_failed="`{command}` failed: {said}\nName a stack that is deployed with --stack, its project's folder with "
    "--cwd.",
    unreadable_file="Cannot read {path}: {problem}",
    unwritable_file="The check is done, but {path} cannot be written: {problem}",
    not_json="The endpoints are not JSON: {problem}. Expected is what `pulumi stack output endpoints --json` prints.",
    bad_fields="The endpoints are not what this check understands:\n{problems}\nDeploy with the program of the same "
    "version.",
    unknown_model="No model {model!r} in the endpoints. There are: {known}.",
    two_sources="--stack and --file exclude each other: give one.",
    no_models="The stack declares no models: nothing to check.",
    service_ready="{service} says it is ready: look between here and its pods (gateway, route, Host).",
    service_not_ready="{service} is not ready: {conditions}. Why: {doctor}",
    service_missing="There is no {service} in the cluster: has `pulumi up` run, and in this cluster? "
    "What is wrong with it: {doctor}",
    service_unreadable="The status of {service} could not be read: {problem} (--kubeconfig and "
    "--context say where to look).",
    failures={
        f.ConnectionRefused: Words(
            "connection refused",
            "Nothing listens at the gateway {gateway}: it refused the connection.",
            "The Host header plays no part yet. Check that the cluster runs, and that address and port are the "
            "ingress gateway's: kubectl get service,pods -n istio-system",
        ),
        f.ConnectTimeout: Words(
            "gateway unreachable",
            "The gateway {gateway} cannot be reached: no reply to the connection, or no route to it.",
            "The Host header plays no part yet. Check the address, the route to it, firewalls, and proxy variables "
            "(HTTP_PROXY, NO_PROXY).",
        ),
        f.UnknownName: Words(
            "unknown gateway name",
            "The name in the gateway address {gateway} does not resolve.",
            "Correct `gateway_address` or the DNS. The model's host {host} needs no DNS: it is only sent as the Host "
            "header.",
        ),
        f.ReadTimeout: Words(
            "no answer in time",
            "{gateway} took the connection, but did not answer {path} within {seconds:.1f} s (Host {host}).",
            "A model starting from zero or a slow one needs a larger --timeout. Otherwise look at its logs: {logs}",
        ),
        f.Disconnected: Words(
            "connection broke",
            "The connection to {gateway} broke: {problem}.",
            "Something else than the gateway may listen there, or one side speaks TLS and the other does not. Try: "
            "{curl}",
        ),
        f.NoRoute: Words(
            "no route for the Host",
            "The gateway {gateway} has no route for Host {host} (its own 404, without a body, for {path}).",
            "The gateway chooses the model by the Host header alone. Check that the InferenceService has this host "
            "in its URL (kubectl get {kind} {name} -n {namespace}), that a VirtualService lists it "
            "(kubectl get virtualservice -n {namespace}), that `ingress.domain` is Knative's domain (ConfigMap "
            "config-domain in knative-serving), and that the address is this cluster's gateway. Try: {curl}",
        ),
        f.NoModel: Words(
            "model not loaded",
            "A model server answers for {host}, but it has no ready model {name}: it says '{said}', it serves "
            "{serves}.",
            "Check that `storage_uri` holds a model file of the declared format, that the server's model has this "
            "name, and that its runtime speaks protocol {protocol}. Its logs: {logs}",
        ),
        f.HttpError: Words(
            "HTTP {status}",
            "HTTP {status} for {path} (Host {host}): {said}.",
            "401 and 403 come from an access policy, 3xx from a redirect (often to TLS), 502 to 504 from a gateway "
            "that finds no running pod behind the route. The model's logs: {logs}",
        ),
        f.GrpcError: Words(
            "gRPC {status}",
            "gRPC status {status} for {path} (authority {host}): {said}.",
            "UNAUTHENTICATED and PERMISSION_DENIED come from an access policy, UNAVAILABLE from a gateway that finds "
            "no running pod behind the route, UNIMPLEMENTED and UNKNOWN from a server that does not speak gRPC at that "
            "port. The model's logs: {logs}",
        ),
        f.NotJson: Words(
            "not JSON",
            "The answer for {path} (Host {host}) is not JSON but {content_type}: {said}.",
            "Something other than a model server answers: check `gateway_address` and `host`. Try: {curl}",
        ),
        f.PredictionRefused: Words(
            "prediction refused (HTTP {status})",
            "The model is ready, but answered the prediction with HTTP {status}: {said}.",
            "Compare `check.instances` with what the model was trained on (number of features, types). Its logs: "
            "{logs}",
        ),
        f.GrpcPredictionRefused: Words(
            "prediction refused ({status})",
            "The model is ready, but answered the prediction with gRPC status {status}: {said}.",
            "Compare `check.instances` with what the model was trained on (number of features, types). Its logs: "
            "{logs}",
        ),
        f.GrpcAnswerUnusable: Words(
            "no predictions in the answer",
            "gRPC status OK, but without usable predictions in the answer: {said}.",
            "The first output must be a tensor of one of the protocol's datatypes, filled as its shape says. The "
            "model's logs: {logs}",
        ),
        f.ErrorInAnswer: Words(
            "error in a 200",
            "HTTP 200, but without usable predictions in it: {said}.",
            "The server reports success for a failed prediction. Check that `check.instances` suit the model; its "
            "logs: {logs}",
        ),
        f.NoExplanation: Words(
            "no explanation",
            "The model predicts, but {path} answered without explanations, with HTTP {status}: {said}.",
            "Its explainer has to answer with `explanations`. Its logs: {explainer_logs}",
        ),
        f.WrongShape: Words(
            "wrong shape",
            "The answer has another shape (predictions × width of a row): expected {expected_shape}, got "
            "{got_shape}; expected {expected}, got {got}.",
            "Another kind of model may be behind this name (probabilities for labels, another number of classes). "
            "Correct `storage_uri`, or renew `check.predictions` if the model is right.",
        ),
        f.WrongValue: Words(
            "wrong values",
            "The answer has other values: expected {expected}, got {got}; largest difference {difference} at "
            "{where}, tolerance {tolerance:g}.",
            "Another model may be behind this name: check that its `storage_uri` and another model's are not "
            "swapped. Renew `check.predictions` if the model is right.",
        ),
        f.LoadFailed: Words(
            "loading failed",
            "KServe cannot load the model: {reason}: {message} (InferenceService {namespace}/{name}, {transition}).",
            "Correct what it names (`storage_uri`, `format`, `runtime`), then `pulumi up`. The download's logs: "
            "{storage_logs}",
        ),
        f.StorageRefused: Words(
            "storage keys refused",
            "The storage refused the access keys: {reason}: {message} (InferenceService {namespace}/{name}, "
            "{transition}).",
            "Set the right keys in the stack's setting `storage.<name>`, <name> being the model's `storage`; they "
            "must be allowed to list the bucket and to read from it. Then `pulumi up`.",
        ),
    },
)
