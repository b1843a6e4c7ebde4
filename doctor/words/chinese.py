"""The doctor's texts in Chinese."""

from doctor.checks import Name, Section
from doctor.findings import Cause
from doctor.words.language import CauseWords, DoctorLanguage

CHINESE = DoctorLanguage(
    sections={
        Section.CLUSTER: "集群",
        Section.KSERVE: "KServe",
        Section.KNATIVE: "Knative",
        Section.PLATFORM: "平台",
        Section.GATEWAY: "网关",
        Section.MODELS: "模型",
    },
    checks={
        (Section.CLUSTER, Name.API): "集群有响应：Kubernetes {version}",
        (Section.CLUSTER, Name.NODES): "就绪的节点数：{count}",
        (Section.KSERVE, Name.INSTALLED): "KServe 的资源定义已安装",
        (Section.KSERVE, Name.CONTROLLER): "正在运行：{parts}",
        (Section.KSERVE, Name.RUNTIMES): "可用的服务运行时：{count} 个，支持 {formats}",
        (Section.KNATIVE, Name.PARTS): "正在运行：{parts}",
        (Section.PLATFORM, Name.PARTS): "正在运行：{parts}",
        (Section.PLATFORM, Name.WEBHOOKS): "有后端的 webhook：{count} 个",
        (Section.GATEWAY, Name.WAY_IN): "{gateway} 在 {address} 接收请求，Pod 数：{count}",
        (Section.GATEWAY, Name.GATEWAYS): "已生效：{names}",
        (Section.GATEWAY, Name.ANSWERS): "经网关有响应的模型：{count} 个",
        (Section.GATEWAY, Name.DNS): "{host} 解析到网关",
        (Section.MODELS, Name.DECLARED): "InferenceService：{count} 个",
        (Section.MODELS, Name.MODEL): "{model} 已就绪：{version}，Pod 数 {replicas}，{url}",
    },
    not_made="未检查：无法读取 {what}",
    not_made_reason="原因：{reason}",
    says="{source}：{text}",
    healthy="一切正常：{models} 个模型，{checks} 项检查。",
    unhealthy="{checks} 项检查中有 {wrong} 项发现问题；请先处理最上面的一项。",
    unchecked="{checks} 项检查中有 {unread} 项无法进行：对其不作任何结论。",
    looking="正在查看集群",
    no_kubeconfig="无法询问集群：{problem}（用 --kubeconfig 与 --context 指定集群）。",
    nothing_piped="管道中没有内容：改为查看集群中的全部模型。",
    columns=("命名空间", "名称", "就绪", "流量", "Pod", "URL", "时长", "原因"),
    yes="是",
    no="否",
    no_models="没有任何 InferenceService。",
    ambiguous_model="模型 {model} 存在于多个命名空间：{namespaces}。请用 --namespace 选择其一。",
    no_pods="{model} 没有 Pod：",
    no_containers="{model} 还没有容器开始运行：",
    no_such_container="{model} 的 Pod 中没有容器 {container}。现有：{known}。",
    unreadable_log="{source}：无法读取日志：{problem}",
    interrupted="已中断。",
    bad_duration="{value!r} 不是时长：请给出数字加 s、m 或 h，例如 90s、10m、2h。",
    causes={
        Cause.CLUSTER_UNREACHABLE: CauseWords(
            "集群没有响应",
            "无法连接 kubeconfig 中的服务器：集群没有运行，或 kubeconfig 属于另一个集群。",
            "kubectl cluster-info；本地集群：python -m cluster status",
        ),
        Cause.CLUSTER_REFUSES: CauseWords(
            "集群拒绝了此登录",
            "服务器有响应，但 kubeconfig 中的令牌或证书在那里无效。",
            "重新登录，或用 --context 选择另一个：kubectl config get-contexts",
        ),
        Cause.NODE_NOT_READY: CauseWords(
            "节点 {node} 未就绪",
            "其 kubelet 没有上报，或磁盘、内存、进程数紧张，新的 Pod 无法放入。",
            "kubectl describe node {node}",
        ),
        Cause.KSERVE_NOT_INSTALLED: CauseWords(
            "未安装 KServe：集群不认识 InferenceService",
            "缺少 CRD：尚未在此部署，或部署到了另一个集群。",
            "pulumi up",
        ),
        Cause.KSERVE_CONTROLLER_DOWN: CauseWords(
            "KServe 的 {part} 没有运行",
            "没有控制器，新建或修改的模型不会有任何动作，其 webhook 也会拒绝一切。",
            "kubectl describe deployment,pods -n {namespace}；若被缩到 0："
            "kubectl scale deployment -n {namespace} {part} --replicas=1",
        ),
        Cause.KNATIVE_NOT_INSTALLED: CauseWords(
            "未安装 Knative，而这些模型需要它：{models}",
            "模型为 Knative 模式，而集群不认识 Knative 的 Service。",
            "pulumi up",
        ),
        Cause.KNATIVE_PART_DOWN: CauseWords(
            "Knative 的 {part} 没有运行",
            "controller：没有新的修订版本；activator：休眠的模型收不到请求；autoscaler：不会伸缩；webhook：无法创建任何对象；"
            "net-…：没有路由。",
            "kubectl describe deployment -n {namespace} {part}；若被缩到 0："
            "kubectl scale deployment -n {namespace} {part} --replicas=1",
        ),
        Cause.PLATFORM_PART_DOWN: CauseWords(
            "{namespace}/{part} 没有运行",
            "Istio 或 cert-manager 的一部分停了：路由或 webhook 的证书不再更新。",
            "kubectl describe deployment -n {namespace} {part}",
        ),
        Cause.WEBHOOK_DOWN: CauseWords(
            "webhook {webhook} 没有响应：{service}",
            "API 服务器在创建或修改对象之前必须询问此 webhook，而其后没有任何程序。",
            "kubectl get endpoints,pods -n {namespace}；然后启动应在那里响应的程序",
        ),
        Cause.WEBHOOK_UNTRUSTED: CauseWords(
            "webhook {webhook} 还没有证书颁发机构",
            "cert-manager 尚未或无法写入它：API 服务器不信任任何响应。",
            "kubectl get certificates,certificaterequests -n {namespace}；kubectl logs -n cert-manager "
            "deployment/cert-manager-cainjector",
        ),
        Cause.GATEWAY_DOWN: CauseWords(
            "网关 {gateway} 没有就绪的 Pod",
            "来自外部的每个请求都经过这些 Pod：连接会被拒绝。",
            "kubectl get deployment,pods -n {namespace}；若被缩到 0："
            "kubectl scale deployment -n {namespace} {part} --replicas=1",
        ),
        Cause.GATEWAY_MISSING: CauseWords(
            "没有从外部通向网关的 Service",
            "Istio 与 Gateway API 的网关都没有 LoadBalancer 或 NodePort 类型的 Service。",
            "kubectl get services -A；kubectl get gateways -A；pulumi up",
        ),
        Cause.GATEWAY_NO_ADDRESS: CauseWords(
            "网关 {gateway} 没有地址",
            "该 Service 在等待负载均衡器，而没有谁提供：裸机集群没有负载均衡器。",
            "kubectl describe service -n {namespace} {service}；或在栈中设置 ingress.service_type: NodePort",
        ),
        Cause.GATEWAY_NOT_PROGRAMMED: CauseWords(
            "Gateway {namespace}/{gateway} 未生效",
            "其控制器（istiod）没有接管它：它的路由都不起作用。",
            "kubectl describe gateways.gateway.networking.k8s.io -n {namespace} {gateway}；kubectl get pods -n "
            "istio-system",
        ),
        Cause.GATEWAY_UNREACHABLE: CauseWords(
            "从这里无法到达网关：{address}",
            "问题在从这里到网关之间的地址、端口、防火墙或代理变量；与 Host 头无关。",
            "curl -v -H 'Host: {host}' {address}/",
        ),
        Cause.ROUTE_NOT_READY: CauseWords(
            "{model} 在运行，但其路由未就绪",
            "服务器已就绪；Knative 的入口或网关还没有接管它的路由。",
            "kubectl get routes.serving.knative.dev,httproutes,virtualservices -n {namespace}；"
            "kubectl get pods -n knative-serving",
        ),
        Cause.NO_ROUTE: CauseWords(
            "网关没有 Host {host} 的路由",
            "网关自身返回了 404：Host 头有误、是另一个集群的网关，或路由已不存在。",
            "kubectl get inferenceservice -n {namespace} {model}；kubectl get virtualservices,httproutes -n "
            "{namespace}",
        ),
        Cause.NO_UPSTREAM: CauseWords(
            "网关在 Host {host} 之后找不到 Pod",
            "有路由，但其后没有谁接受连接：activator 或模型的 Pod。",
            "kubectl get pods -n {namespace}；kubectl get pods -n knative-serving",
        ),
        Cause.HOST_DIFFERS: CauseWords(
            "栈中 {model} 的主机名为 {host}，KServe 中为 {found}",
            "栈的 ingress.domain 不是 Knative 的域名：用栈中的主机名请求找不到路由。",
            "kubectl get configmap -n knative-serving config-domain -o yaml；设置 ingress.domain；pulumi up",
        ),
        Cause.HOST_UNRESOLVED: CauseWords(
            "DNS 中没有 {host}：请以 Host 头发送",
            "该域名只是一个名字。不能设置该头的客户端需要一条 DNS 记录。",
            "curl -H 'Host: {host}' {address}/；或为网关地址添加 DNS 记录 *.{domain}",
        ),
        Cause.HOST_ELSEWHERE: CauseWords(
            "{host} 解析到 {found}，而网关为 {address}",
            "DNS 中该名称对应另一个地址：前面的负载均衡器，或另一台机器。",
            "如果那不是您的负载均衡器，请更正 DNS 记录，或以 Host 头发送",
        ),
        Cause.MODEL_MISSING: CauseWords(
            "没有 InferenceService {model}",
            "尚未在此部署、创建时被拒绝，或这是另一个集群或命名空间。",
            "pulumi up；kubectl get inferenceservices -A",
        ),
        Cause.NAMESPACE_MISSING: CauseWords(
            "没有命名空间 {namespace}",
            "不能部署到不存在的命名空间中。",
            "kubectl create namespace {namespace}；kubectl get namespaces",
        ),
        Cause.NAMESPACE_TERMINATING: CauseWords(
            "命名空间 {namespace} 正在被删除",
            "其中不能再创建任何对象。它所等待的对象带有终结器，应由各自的控制器移除。",
            "kubectl get namespace {namespace} -o yaml",
        ),
        Cause.RUNTIME_NONE: CauseWords(
            "没有已启用的运行时支持 {why}",
            "KServe 按格式、版本和协议选择运行时，而没有合适的。",
            "更正格式、版本或协议，或启用一个运行时：kubectl get clusterservingruntimes。已启用：{enabled}",
        ),
        Cause.RUNTIME_UNKNOWN: CauseWords(
            "没有运行时 {runtime}",
            "模型指定的运行时在集群和其命名空间中都不存在。",
            "更正 runtime 或将其去掉：kubectl get clusterservingruntimes；kubectl get servingruntimes -n {namespace}",
        ),
        Cause.RUNTIME_DISABLED: CauseWords(
            "运行时 {runtime} 已停用",
            "该运行时存在，但为 spec.disabled: true；本发行集没有镜像的运行时都是如此。",
            "选择另一个，或去掉 runtime。已启用：{enabled}",
        ),
        Cause.RUNTIME_MISMATCH: CauseWords(
            "运行时 {runtime} 不支持 {format}：它是 {why}",
            "指定的运行时没有该模型的格式、版本或协议。",
            "更正 runtime 或 format，或去掉 runtime。已启用：{enabled}",
        ),
        Cause.DECLARATION_REFUSED: CauseWords(
            "KServe 无法建立 {model} 所声明的内容",
            "KServe、Knative 或 Kubernetes 拒绝了由模型声明产生的对象；其原话说明原因。",
            "kubectl describe inferenceservice -n {namespace} {model}",
        ),
        Cause.SERVICE_ACCOUNT_MISSING: CauseWords(
            "{model} 指定的服务账号不存在：{missing}",
            "Pod 以其命名空间中的服务账号运行；没有它就不会被创建。",
            "kubectl get serviceaccounts -n {namespace}；更正 service_account 或 storage",
        ),
        Cause.SECRET_MISSING: CauseWords(
            "服务账号 {account} 列出的 Secret 不存在：{missing}",
            "KServe 的 webhook 在其中查找存储密钥，因此拒绝该 Pod。",
            "kubectl get secrets -n {namespace}；kubectl get serviceaccount -n {namespace} {account} -o yaml",
        ),
        Cause.QUOTA_EXCEEDED: CauseWords(
            "配额 {quota} 已无余量：请求 {asked}，已用 {used}，上限 {limit}",
            "命名空间的 ResourceQuota 拒绝了该 Pod。Knative 与 KServe 的边车也计算在内。",
            "kubectl describe resourcequota -n {namespace}；减少 resources，或提高配额",
        ),
        Cause.POD_REFUSED: CauseWords(
            "{model} 的 Pod 被 {by} 拒绝",
            "集群的策略或 webhook 不接纳该 Pod；其原话说明原因。",
            "kubectl get events -n {namespace} --field-selector reason=FailedCreate",
        ),
        Cause.CLAIM_MISSING: CauseWords(
            "没有 PersistentVolumeClaim {claim}",
            "模型的文件在一个声明中（pvc://），而其命名空间没有该声明。",
            "kubectl get persistentvolumeclaims -n {namespace}；更正 storage_uri",
        ),
        Cause.CLAIM_PENDING: CauseWords(
            "PersistentVolumeClaim {claim} 没有卷",
            "没有存储类为它建立卷，或没有合适的卷：Pod 在等待它。",
            "kubectl describe persistentvolumeclaim -n {namespace} {claim}；kubectl get storageclasses",
        ),
        Cause.NODES_TOO_SMALL: CauseWords(
            "没有节点剩余足够的资源：{lacking}",
            "Pod 请求的资源超过任何节点的余量；没有节点具备的 nvidia.com/gpu 也属于此类。",
            "减少 resources、gpus 或 replicas，或增加节点：kubectl describe nodes",
        ),
        Cause.NODES_NOT_FITTING: CauseWords(
            "没有 {model} 可以运行的节点",
            "node_selector 与所有节点的标签都不符，或每个节点都有该模型不容忍的污点。",
            "kubectl get nodes --show-labels；kubectl describe nodes；更正 node_selector 或 tolerations",
        ),
        Cause.IMAGE_NOT_FOUND: CauseWords(
            "没有镜像 {image}",
            "镜像仓库有响应，但没有这样的仓库或标签。",
            "更正镜像名称：kubectl get pods -n {namespace}；kubectl get clusterservingruntimes -o wide",
        ),
        Cause.IMAGE_REFUSED: CauseWords(
            "镜像仓库 {registry} 拒绝提供 {image}",
            "它要求登录（imagePullSecrets），或隐藏了没有该镜像的事实。",
            "kubectl get serviceaccount -n {namespace} {account} -o yaml；添加 imagePullSecrets，或更正名称",
        ),
        Cause.REGISTRY_UNREACHABLE: CauseWords(
            "无法连接镜像仓库 {registry} 以获取 {image}",
            "节点，或查询摘要的 Knative 控制器，无法到达那里：名称、网络或 TLS。",
            "更正镜像仓库的名称，或将 mirror.images 设为节点可到达的仓库",
        ),
        Cause.IMAGE_FAILED: CauseWords(
            "无法拉取镜像 {image}",
            "kubelet 说明了原因。",
            "kubectl describe pods -n {namespace} -l serving.kserve.io/inferenceservice={model}",
        ),
        Cause.STORAGE_URI_UNKNOWN: CauseWords(
            "KServe 不认识 {uri} 这样的存储",
            "storage_uri 的开头决定存储类型：s3://、gs://、https://、pvc://、hf:// 等。",
            "更正 storage_uri；可以的开头有 {schemes}",
        ),
        Cause.STORAGE_BUCKET_MISSING: CauseWords(
            "没有存储桶 {bucket}",
            "该端点的存储有响应，但没有此存储桶：拼写有误，或属于另一个存储。",
            "更正 storage_uri {uri}，或存储的端点：{endpoint}",
        ),
        Cause.STORAGE_NOT_FOUND: CauseWords(
            "{uri} 处没有任何文件",
            "存储桶存在，但没有以此开头的文件。",
            "更正 storage_uri，或将文件放到那里；python -m predict logs {model} -n {namespace} -c storage-initializer",
        ),
        Cause.STORAGE_UNREACHABLE: CauseWords(
            "无法连接存储：端点 {endpoint}",
            "从集群内部访问该端点没有响应：名称、端口、网络或 TLS。",
            "更正 storage.<name>.endpoint；kubectl get secret -n {namespace} {secret} -o jsonpath="
            "'{{.metadata.annotations}}'",
        ),
        Cause.STORAGE_KEYS_REFUSED: CauseWords(
            "存储拒绝了 Secret {secret} 中的密钥",
            "密钥有误或过期，或没有列出和读取存储桶的权限。",
            "在 storage.<name> 中填写正确的密钥；pulumi up。密钥位于：kubectl get secret -n {namespace} {secret}",
        ),
        Cause.STORAGE_KEYS_MISSING: CauseWords(
            "{model} 没有访问 {uri} 的密钥",
            "其服务账号没有列出含密钥的 Secret。",
            "在模型的 `storage` 中指定一个存储，公开的存储用 anonymous: true；"
            "kubectl get serviceaccount -n {namespace} {account} -o yaml",
        ),
        Cause.STORAGE_SECRET_BARE: CauseWords(
            "Secret {secret} 没有说明存储在哪里：因此询问了 AWS",
            "KServe 从 Secret 的注解 serving.kserve.io/s3-endpoint 读取端点；它没有该注解。",
            "kubectl annotate secret -n {namespace} {secret} serving.kserve.io/s3-endpoint=<host:port> "
            "serving.kserve.io/s3-usehttps=<0 或 1>",
        ),
        Cause.STORAGE_FAILED: CauseWords(
            "无法取得 {model} 的文件",
            "storage-initializer 失败；其原话说明原因。",
            "python -m predict logs {model} -n {namespace} -c storage-initializer",
        ),
        Cause.MEMORY_EXCEEDED: CauseWords(
            "{model} 的 {container} 因内存被终止：其上限为 {limit}",
            "容器需要的内存超过其上限，因而被终止（OOMKilled）。",
            "提高内存上限（resources）；python -m predict logs {model} -n {namespace} --previous",
        ),
        Cause.SERVER_CRASHED: CauseWords(
            "{model} 的 {container} 因错误退出（退出码 {exit}）",
            "服务器无法加载模型：文件的格式或版本不符、所在位置没有文件，或程序缺陷。",
            "python -m predict logs {model} -n {namespace} --previous；更正 storage_uri 或 format",
        ),
        Cause.PROBE_FAILING: CauseWords(
            "{model} 在运行，但询问其是否就绪时返回 HTTP {status}：{path}",
            "服务器中没有探针路径所指名称的模型，或没有加载它。",
            "python -m predict logs {model} -n {namespace}；更正探针的路径或模型的名称",
        ),
        Cause.DEADLINE_EXCEEDED: CauseWords(
            "{version} 已被放弃：未能按时就绪",
            "修订版本若未在进度期限内就绪，Knative 会移除其 Pod。",
            "先更正上述问题；较慢的模型请加大 `timeout`；然后 pulumi up，会产生新的修订版本",
        ),
        Cause.CANARY_STUCK: CauseWords(
            "新版本 {new}（{share} %）未就绪；{old} 继续响应",
            "新版本（无论是否灰度）在就绪之前不会收到请求。",
            "更正上述问题，或改回之前的 storage_uri；pulumi up",
        ),
        Cause.DELETION_STUCK: CauseWords(
            "{model} 无法删除：在等待 {finalizers}",
            "终结器由其控制器移除：该控制器没有运行，或已不存在。",
            "启动该控制器；若已永远不存在：kubectl patch inferenceservice -n {namespace} {model} "
            '--type merge -p \'{{"metadata":{{"finalizers":null}}}}\'',
        ),
        Cause.DELETION: CauseWords(
            "{model} 正在被删除",
            "所需时间取决于其 Pod 结束的时间。",
            "kubectl get inferenceservices -n {namespace} --watch",
        ),
        Cause.WAITS_FOR_PLATFORM: CauseWords(
            "{model} 在等待 {broken}",
            "模型自身没有问题；它所需要的部分没有运行。",
            "请先修复上述问题",
        ),
        Cause.STARTING: CauseWords(
            "{model} 在 {age} 秒后尚未就绪；没有发现问题",
            "它正在启动：拉取镜像、取得文件、加载。",
            "python -m predict logs {model} -n {namespace} --follow",
        ),
        Cause.UNNOTICED: CauseWords(
            "KServe 还没有处理 {model}",
            "InferenceService 没有状态：控制器看不到它，或处理时失败。",
            "kubectl logs -n kserve deployment/kserve-controller-manager -c manager --tail 50",
        ),
        Cause.STOPPED: CauseWords(
            "{model} 已停止",
            "其注解 serving.kserve.io/stop 如此要求。",
            "kubectl annotate inferenceservice -n {namespace} {model} serving.kserve.io/stop-",
        ),
        Cause.SCALED_TO_ZERO: CauseWords(
            "{model} 已就绪并在休眠：第一个请求会启动它",
            "在 replicas.min: 0 时，没有请求就没有 Pod。第一个响应需要等待启动。",
            "replicas.min: 1 会保留一个",
        ),
    },
)
