"""The doctor's texts in English."""

from doctor.checks import Name, Section
from doctor.findings import Cause
from doctor.words.language import CauseWords, DoctorLanguage

ENGLISH = DoctorLanguage(
    sections={
        Section.CLUSTER: "cluster",
        Section.KSERVE: "KServe",
        Section.KNATIVE: "Knative",
        Section.PLATFORM: "platform",
        Section.GATEWAY: "gateway",
        Section.MODELS: "models",
    },
    checks={
        (Section.CLUSTER, Name.API): "the cluster answers: Kubernetes {version}",
        (Section.CLUSTER, Name.NODES): "nodes are ready: {count}",
        (Section.KSERVE, Name.INSTALLED): "KServe's definitions are there",
        (Section.KSERVE, Name.CONTROLLER): "runs: {parts}",
        (Section.KSERVE, Name.RUNTIMES): "serving runtimes: {count}, for {formats}",
        (Section.KNATIVE, Name.PARTS): "run: {parts}",
        (Section.PLATFORM, Name.PARTS): "run: {parts}",
        (Section.PLATFORM, Name.WEBHOOKS): "webhooks have someone behind them: {count}",
        (Section.GATEWAY, Name.WAY_IN): "{gateway} takes requests at {address}, pods: {count}",
        (Section.GATEWAY, Name.GATEWAYS): "programmed: {names}",
        (Section.GATEWAY, Name.ANSWERS): "models answer through the gateway: {count}",
        (Section.GATEWAY, Name.DNS): "{host} leads to the gateway",
        (Section.MODELS, Name.DECLARED): "InferenceServices: {count}",
        (Section.MODELS, Name.MODEL): "{model} is ready: {version}, pods {replicas}, {url}",
    },
    not_made="not checked: {what} could not be read",
    not_made_reason="{reason}",
    says="{source} says: {text}",
    healthy="Nothing is wrong: {models} models, {checks} checks.",
    unhealthy="{wrong} of {checks} checks found something; the first one first.",
    unchecked="{unread} of {checks} checks could not be made: nothing is said about them.",
    looking="looking at the cluster",
    no_kubeconfig="The cluster cannot be asked: {problem} (--kubeconfig and --context say where to look).",
    nothing_piped="Nothing came through the pipe: looking at all models of the cluster.",
    columns=("namespace", "name", "ready", "traffic", "pods", "url", "age", "cause"),
    yes="yes",
    no="no",
    no_models="There are no InferenceServices.",
    ambiguous_model="Model {model} is in several namespaces: {namespaces}. Choose one with --namespace.",
    no_pods="There are no pods of {model}:",
    no_containers="No container of {model} has begun yet:",
    no_such_container="No pod of {model} has a container {container}. There are: {known}.",
    unreadable_log="{source}: its log cannot be read: {problem}",
    interrupted="Interrupted.",
    bad_duration="{value!r} is no duration: give a number with s, m or h, as in 90s, 10m, 2h.",
    causes={
        Cause.CLUSTER_UNREACHABLE: CauseWords(
            "the cluster does not answer",
            "The kubeconfig's server cannot be reached: it does not run, or the kubeconfig is of another cluster.",
            "kubectl cluster-info; the local cluster: python -m cluster status",
        ),
        Cause.CLUSTER_REFUSES: CauseWords(
            "the cluster refuses this login",
            "The server answers, but the token or certificate in the kubeconfig is not valid there.",
            "renew the login, or choose another with --context: kubectl config get-contexts",
        ),
        Cause.NODE_NOT_READY: CauseWords(
            "node {node} is not ready",
            "Its kubelet does not report, or a pressure (disk, memory, processes) keeps new pods away.",
            "kubectl describe node {node}",
        ),
        Cause.KSERVE_NOT_INSTALLED: CauseWords(
            "KServe is not installed: the cluster does not know InferenceServices",
            "The CRDs are missing: nothing was deployed here, or in another cluster.",
            "pulumi up",
        ),
        Cause.KSERVE_CONTROLLER_DOWN: CauseWords(
            "KServe's {part} does not run",
            "Without its controller nothing happens to new or changed models, and its webhooks refuse everything.",
            "kubectl describe deployment,pods -n {namespace}; scaled to 0: "
            "kubectl scale deployment -n {namespace} {part} --replicas=1",
        ),
        Cause.KNATIVE_NOT_INSTALLED: CauseWords(
            "Knative is not installed, and these models need it: {models}",
            "The models are of mode Knative; the cluster does not know Knative's Services.",
            "pulumi up",
        ),
        Cause.KNATIVE_PART_DOWN: CauseWords(
            "Knative's {part} does not run",
            "controller: no new revisions; activator: no requests to sleeping models; autoscaler: no scaling; "
            "webhook: nothing can be created; net-…: no routes.",
            "kubectl describe deployment -n {namespace} {part}; scaled to 0: "
            "kubectl scale deployment -n {namespace} {part} --replicas=1",
        ),
        Cause.PLATFORM_PART_DOWN: CauseWords(
            "{namespace}/{part} does not run",
            "A part of Istio or cert-manager is down: routes, or certificates of webhooks, are not renewed.",
            "kubectl describe deployment -n {namespace} {part}",
        ),
        Cause.WEBHOOK_DOWN: CauseWords(
            "webhook {webhook} does not answer: {service}",
            "The API server must ask this webhook before it creates or changes objects, and nothing is behind it.",
            "kubectl get endpoints,pods -n {namespace}; then start what should answer there",
        ),
        Cause.WEBHOOK_UNTRUSTED: CauseWords(
            "webhook {webhook} has no certificate authority yet",
            "cert-manager has not written it, or cannot: the API server trusts no answer.",
            "kubectl get certificates,certificaterequests -n {namespace}; kubectl logs -n cert-manager "
            "deployment/cert-manager-cainjector",
        ),
        Cause.GATEWAY_DOWN: CauseWords(
            "no pod of the gateway {gateway} is ready",
            "Every request from outside goes through these pods: the connection is refused.",
            "kubectl get deployment,pods -n {namespace}; scaled to 0: "
            "kubectl scale deployment -n {namespace} {part} --replicas=1",
        ),
        Cause.GATEWAY_MISSING: CauseWords(
            "no Service leads from outside to a gateway",
            "Neither Istio's Gateways nor the Gateway API's have a LoadBalancer or NodePort Service.",
            "kubectl get services -A; kubectl get gateways -A; pulumi up",
        ),
        Cause.GATEWAY_NO_ADDRESS: CauseWords(
            "the gateway {gateway} has no address",
            "The Service waits for a load balancer that nobody gives: a bare cluster has none.",
            "kubectl describe service -n {namespace} {service}; or the stack's ingress.service_type: NodePort",
        ),
        Cause.GATEWAY_NOT_PROGRAMMED: CauseWords(
            "Gateway {namespace}/{gateway} is not programmed",
            "Its controller (istiod) has not taken it over: no route of it works.",
            "kubectl describe gateways.gateway.networking.k8s.io -n {namespace} {gateway}; kubectl get pods -n "
            "istio-system",
        ),
        Cause.GATEWAY_UNREACHABLE: CauseWords(
            "the gateway cannot be reached from here: {address}",
            "Address, port, firewall or proxy variables between here and the gateway; the Host header plays no part.",
            "curl -v -H 'Host: {host}' {address}/",
        ),
        Cause.ROUTE_NOT_READY: CauseWords(
            "{model} runs, but its route is not ready",
            "The server is ready; Knative's ingress or the gateway has not taken over its route.",
            "kubectl get routes.serving.knative.dev,httproutes,virtualservices -n {namespace}; "
            "kubectl get pods -n knative-serving",
        ),
        Cause.NO_ROUTE: CauseWords(
            "the gateway has no route for Host {host}",
            "The gateway itself answered 404: a wrong Host header, another cluster's gateway, or a route that is gone.",
            "kubectl get inferenceservice -n {namespace} {model}; kubectl get virtualservices,httproutes -n "
            "{namespace}",
        ),
        Cause.NO_UPSTREAM: CauseWords(
            "the gateway finds no pod behind Host {host}",
            "There is a route, and nothing behind it takes connections: the activator or the model's pods.",
            "kubectl get pods -n {namespace}; kubectl get pods -n knative-serving",
        ),
        Cause.HOST_DIFFERS: CauseWords(
            "the stack says {model} has the host {host}, KServe says {found}",
            "The stack's ingress.domain is not Knative's: requests with the stack's host find no route.",
            "kubectl get configmap -n knative-serving config-domain -o yaml; set ingress.domain; pulumi up",
        ),
        Cause.HOST_UNRESOLVED: CauseWords(
            "{host} is in no DNS: send it as the Host header",
            "The domain is a name only. Clients that cannot set the header need a DNS entry for it.",
            "curl -H 'Host: {host}' {address}/; or a DNS entry *.{domain} for the gateway's address",
        ),
        Cause.HOST_ELSEWHERE: CauseWords(
            "{host} leads to {found}, the gateway is {address}",
            "DNS knows the name with another address: a load balancer in front, or another machine.",
            "correct the DNS entry if it is not a load balancer of yours, or send the Host header",
        ),
        Cause.MODEL_MISSING: CauseWords(
            "there is no InferenceService {model}",
            "It was not deployed here yet, its creation was refused, or this is another cluster or namespace.",
            "pulumi up; kubectl get inferenceservices -A",
        ),
        Cause.NAMESPACE_MISSING: CauseWords(
            "there is no namespace {namespace}",
            "Nothing can be deployed into a namespace that is not there.",
            "kubectl create namespace {namespace}; kubectl get namespaces",
        ),
        Cause.NAMESPACE_TERMINATING: CauseWords(
            "namespace {namespace} is being deleted",
            "Nothing new may be created there. What it waits for has finalizers whose controllers are to remove them.",
            "kubectl get namespace {namespace} -o yaml",
        ),
        Cause.RUNTIME_NONE: CauseWords(
            "no enabled runtime serves {why}",
            "KServe chooses a runtime by format, version and protocol, and none fits.",
            "correct format, version or protocol, or enable a runtime: kubectl get clusterservingruntimes. "
            "Enabled: {enabled}",
        ),
        Cause.RUNTIME_UNKNOWN: CauseWords(
            "there is no runtime {runtime}",
            "The model names a runtime that neither the cluster nor its namespace has.",
            "correct runtime, or leave it out: kubectl get clusterservingruntimes; kubectl get servingruntimes "
            "-n {namespace}",
        ),
        Cause.RUNTIME_DISABLED: CauseWords(
            "runtime {runtime} is disabled",
            "The runtime is there with spec.disabled: true, as those that this release has no image for.",
            "choose another or leave runtime out. Enabled: {enabled}",
        ),
        Cause.RUNTIME_MISMATCH: CauseWords(
            "runtime {runtime} does not serve {format}: it is {why}",
            "The named runtime does not have the model's format, version or protocol.",
            "correct runtime or format, or leave runtime out. Enabled: {enabled}",
        ),
        Cause.DECLARATION_REFUSED: CauseWords(
            "KServe cannot make what {model} declares",
            "KServe, Knative or Kubernetes refuses what follows from the model's declaration; its words say why.",
            "kubectl describe inferenceservice -n {namespace} {model}",
        ),
        Cause.SERVICE_ACCOUNT_MISSING: CauseWords(
            "{model} names a service account that is not there: {missing}",
            "Pods run under a service account of their namespace; without it they are not created.",
            "kubectl get serviceaccounts -n {namespace}; correct service_account, or storage",
        ),
        Cause.SECRET_MISSING: CauseWords(
            "service account {account} lists a Secret that is not there: {missing}",
            "KServe's webhook looks for storage keys in it, and refuses the pod.",
            "kubectl get secrets -n {namespace}; kubectl get serviceaccount -n {namespace} {account} -o yaml",
        ),
        Cause.QUOTA_EXCEEDED: CauseWords(
            "quota {quota} leaves no room: asked {asked}, used {used}, limit {limit}",
            "The namespace's ResourceQuota refuses the pod. Knative's and KServe's sidecars count, too.",
            "kubectl describe resourcequota -n {namespace}; ask for less (resources), or raise the quota",
        ),
        Cause.POD_REFUSED: CauseWords(
            "pods of {model} are refused by {by}",
            "A policy or webhook of the cluster does not admit the pod; its words say why.",
            "kubectl get events -n {namespace} --field-selector reason=FailedCreate",
        ),
        Cause.CLAIM_MISSING: CauseWords(
            "there is no PersistentVolumeClaim {claim}",
            "The model's files are in a claim (pvc://) that its namespace does not have.",
            "kubectl get persistentvolumeclaims -n {namespace}; correct storage_uri",
        ),
        Cause.CLAIM_PENDING: CauseWords(
            "PersistentVolumeClaim {claim} has no volume",
            "No storage class makes one, or no volume fits: the pod waits for it.",
            "kubectl describe persistentvolumeclaim -n {namespace} {claim}; kubectl get storageclasses",
        ),
        Cause.NODES_TOO_SMALL: CauseWords(
            "no node has enough left: {lacking}",
            "The pod asks for more than any node has free; nvidia.com/gpu that no node has is of this kind, too.",
            "ask for less (resources, gpus, replicas), or add nodes: kubectl describe nodes",
        ),
        Cause.NODES_NOT_FITTING: CauseWords(
            "no node is one that {model} may run on",
            "node_selector matches no node's labels, or every node has a taint that the model does not tolerate.",
            "kubectl get nodes --show-labels; kubectl describe nodes; correct node_selector or tolerations",
        ),
        Cause.IMAGE_NOT_FOUND: CauseWords(
            "there is no image {image}",
            "The registry answers, and has no such repository or tag.",
            "correct the image's name: kubectl get pods -n {namespace}; kubectl get clusterservingruntimes -o wide",
        ),
        Cause.IMAGE_REFUSED: CauseWords(
            "the registry {registry} refuses {image}",
            "It wants a login (imagePullSecrets), or hides that there is no such image.",
            "kubectl get serviceaccount -n {namespace} {account} -o yaml; add imagePullSecrets, or correct the name",
        ),
        Cause.REGISTRY_UNREACHABLE: CauseWords(
            "the registry {registry} cannot be reached for {image}",
            "The nodes, or Knative's controller, which asks for the digest, have no way there: name, network, TLS.",
            "correct the registry's name, or set mirror.images to one that the nodes reach",
        ),
        Cause.IMAGE_FAILED: CauseWords(
            "image {image} cannot be pulled",
            "The kubelet says why.",
            "kubectl describe pods -n {namespace} -l serving.kserve.io/inferenceservice={model}",
        ),
        Cause.STORAGE_URI_UNKNOWN: CauseWords(
            "KServe knows no storage like {uri}",
            "The beginning of storage_uri chooses the storage: s3://, gs://, https://, pvc://, hf:// and more.",
            "correct storage_uri; it may begin with {schemes}",
        ),
        Cause.STORAGE_BUCKET_MISSING: CauseWords(
            "there is no bucket {bucket}",
            "The store answers at this endpoint, and has no such bucket: misspelt, or of another store.",
            "correct storage_uri {uri}, or the store's endpoint: {endpoint}",
        ),
        Cause.STORAGE_NOT_FOUND: CauseWords(
            "there is nothing at {uri}",
            "The bucket is there; no file has a name that begins like this.",
            "correct storage_uri, or put the file there; python -m predict logs {model} -n {namespace} -c "
            "storage-initializer",
        ),
        Cause.STORAGE_UNREACHABLE: CauseWords(
            "the store cannot be reached: endpoint {endpoint}",
            "Nothing answers at the endpoint from inside the cluster: name, port, network or TLS.",
            "correct storage.<name>.endpoint; kubectl get secret -n {namespace} {secret} -o jsonpath="
            "'{{.metadata.annotations}}'",
        ),
        Cause.STORAGE_KEYS_REFUSED: CauseWords(
            "the store refuses the keys in Secret {secret}",
            "Wrong or expired keys, or ones that may not list the bucket and read from it.",
            "set the right keys in storage.<name>; pulumi up. They are in: kubectl get secret -n {namespace} {secret}",
        ),
        Cause.STORAGE_KEYS_MISSING: CauseWords(
            "{model} has no keys for {uri}",
            "Its service account lists no Secret with keys.",
            "name a store in the model's `storage`, or anonymous: true for a public one; "
            "kubectl get serviceaccount -n {namespace} {account} -o yaml",
        ),
        Cause.STORAGE_SECRET_BARE: CauseWords(
            "Secret {secret} does not say where the store is: AWS is asked",
            "KServe reads the endpoint from the Secret's annotation serving.kserve.io/s3-endpoint; it has none.",
            "kubectl annotate secret -n {namespace} {secret} serving.kserve.io/s3-endpoint=<host:port> "
            "serving.kserve.io/s3-usehttps=<0 or 1>",
        ),
        Cause.STORAGE_FAILED: CauseWords(
            "the files of {model} could not be fetched",
            "The storage initializer failed; its words say why.",
            "python -m predict logs {model} -n {namespace} -c storage-initializer",
        ),
        Cause.MEMORY_EXCEEDED: CauseWords(
            "{container} of {model} was killed for its memory: its limit is {limit}",
            "The container wanted more memory than its limit and was killed (OOMKilled).",
            "raise the memory limit (resources); python -m predict logs {model} -n {namespace} --previous",
        ),
        Cause.SERVER_CRASHED: CauseWords(
            "{container} of {model} ends with an error (exit {exit})",
            "The server cannot load the model: a file of another format or version, no file where it looks, a bug.",
            "python -m predict logs {model} -n {namespace} --previous; correct storage_uri or format",
        ),
        Cause.PROBE_FAILING: CauseWords(
            "{model} runs, but answers HTTP {status} when asked whether it is ready: {path}",
            "The server has no model of the name in the probe's path, or did not load it.",
            "python -m predict logs {model} -n {namespace}; correct the probe's path or the model's name",
        ),
        Cause.DEADLINE_EXCEEDED: CauseWords(
            "{version} was given up: it was not ready in time",
            "Knative takes the pods of a revision away that does not become ready within its progress deadline.",
            "correct what is above; a slow model: a larger `timeout`; then pulumi up, which makes a new revision",
        ),
        Cause.CANARY_STUCK: CauseWords(
            "the new version {new} ({share} %) is not ready; {old} goes on answering",
            "A new version, canary or not, gets no request until it is ready.",
            "correct what is above, or go back to the storage_uri before; pulumi up",
        ),
        Cause.DELETION_STUCK: CauseWords(
            "{model} cannot be deleted: it waits for {finalizers}",
            "A finalizer is taken away by its controller: that does not run, or is gone.",
            "start the controller; if it is gone for good: kubectl patch inferenceservice -n {namespace} {model} "
            '--type merge -p \'{{"metadata":{{"finalizers":null}}}}\'',
        ),
        Cause.DELETION: CauseWords(
            "{model} is being deleted",
            "It takes as long as its pods need to end.",
            "kubectl get inferenceservices -n {namespace} --watch",
        ),
        Cause.WAITS_FOR_PLATFORM: CauseWords(
            "{model} waits for {broken}",
            "Nothing is wrong with the model itself; what it needs does not run.",
            "repair what is above first",
        ),
        Cause.STARTING: CauseWords(
            "{model} is not ready yet, after {age} s; nothing wrong is to be seen",
            "It is on its way: pulling an image, fetching files, loading.",
            "python -m predict logs {model} -n {namespace} --follow",
        ),
        Cause.UNNOTICED: CauseWords(
            "KServe has not looked at {model}",
            "The InferenceService has no status: the controller does not see it, or fails at it.",
            "kubectl logs -n kserve deployment/kserve-controller-manager -c manager --tail 50",
        ),
        Cause.STOPPED: CauseWords(
            "{model} is stopped",
            "Its annotation serving.kserve.io/stop says so.",
            "kubectl annotate inferenceservice -n {namespace} {model} serving.kserve.io/stop-",
        ),
        Cause.SCALED_TO_ZERO: CauseWords(
            "{model} is ready and sleeps: the first request starts it",
            "With replicas.min: 0 there is no pod while nobody asks. The first answer takes as long as a start.",
            "replicas.min: 1 keeps one",
        ),
    },
)
