"""The texts in Chinese."""

from endpoints import failures as f
from predict.messages.language import Language, Words

CHINESE = Language(
    answered="{display} 模型响应: {body}",
    not_compared="{display} 模型响应: 已就绪；栈中未声明 check，未按值比较",
    failed="{display} 模型未通过核对（{waited:.1f} 秒）: {cause}",
    summary="{all} 个中有 {right} 个给出了预期结果。",
    right="正确",
    answered_only="有响应，未按值比较",
    columns=("模型", "URL", "协议", "预期", "实际", "延迟 ms", "结论"),
    asking="{name}: 正在通过 {gateway} 请求 {host}",
    waiting="{name}: 等待中（{label}）",
    reading_stack="正在读取栈输出",
    interrupted="已中断：没有改动任何东西，可随时重新运行。",
    no_pulumi="PATH 中没有 `pulumi` 程序。请安装它，或用 --file 或管道提供 endpoints。",
    unusable_pulumi="无法运行 `pulumi` 程序: {problem}。请使其可执行，或用 --file 或管道提供 endpoints。",
    pulumi_failed="`{command}` 失败: {said}\n请用 --stack 指定已部署的栈，用 --cwd 指定其项目目录。",
    unreadable_file="无法读取 {path}: {problem}",
    unwritable_file="检查已完成，但无法写入 {path}: {problem}",
    not_json="endpoints 不是 JSON: {problem}。应为 `pulumi stack output endpoints --json` 的输出。",
    bad_fields="endpoints 的内容无法识别:\n{problems}\n请使用同一版本的程序部署。",
    unknown_model="endpoints 中没有模型 {model!r}。现有: {known}。",
    two_sources="--stack 与 --file 不能同时使用，请只给一个。",
    no_models="栈中未声明任何模型：没有需要核对的内容。",
    service_ready="{service} 显示已就绪：请检查从这里到其 Pod 之间的环节（网关、路由、Host）。",
    service_not_ready="{service} 未就绪: {conditions}。原因: {doctor}",
    service_missing="集群中没有 {service}：是否已在此集群运行 `pulumi up`？查找问题: {doctor}",
    service_unreadable="无法读取 {service} 的状态: {problem}（用 --kubeconfig 与 --context 指定集群）。",
    failures={
        f.ConnectionRefused: Words(
            "连接被拒绝",
            "网关 {gateway} 拒绝连接：该地址没有程序在监听。",
            "此时与 Host 头无关。请确认集群在运行，且地址和端口属于入口网关: kubectl get service,pods -n istio-system",
        ),
        f.ConnectTimeout: Words(
            "网关不可达",
            "无法到达网关 {gateway}：连接没有得到回应，或没有通往它的路由。",
            "此时与 Host 头无关。请检查地址、路由、防火墙以及代理变量（HTTP_PROXY、NO_PROXY）。",
        ),
        f.UnknownName: Words(
            "网关名称无法解析",
            "网关地址 {gateway} 中的名称无法解析。",
            "请更正 `gateway_address` 或 DNS。模型的主机名 {host} 不需要 DNS：它只作为 Host 头发送。",
        ),
        f.ReadTimeout: Words(
            "响应超时",
            "{gateway} 接受了连接，但在 {seconds:.1f} 秒内未响应 {path}（Host {host}）。",
            "从零启动或较慢的模型需要更大的 --timeout。否则请查看其日志: {logs}",
        ),
        f.Disconnected: Words(
            "连接中断",
            "与 {gateway} 的连接中断: {problem}。",
            "监听者可能不是网关，或者只有一方使用 TLS。可尝试: {curl}",
        ),
        f.NoRoute: Words(
            "Host 没有路由",
            "网关 {gateway} 没有 Host {host} 的路由（网关自身对 {path} 返回无正文的 404）。",
            "网关只按 Host 头选择模型。请检查：InferenceService 的 URL 是否为该主机名（kubectl get {kind} "
            "{name} -n {namespace}）；VirtualService 是否包含它（kubectl get virtualservice -n {namespace}）；"
            "`ingress.domain` 是否为 Knative 的域名（knative-serving 中的 ConfigMap config-domain）；地址是否为本集群"
            "的网关。可尝试: {curl}",
        ),
        f.NoModel: Words(
            "模型未加载",
            "{host} 的模型服务器有响应，但没有就绪的模型 {name}：它返回 '{said}'，提供的模型为 {serves}。",
            "请检查 `storage_uri` 中是否有所声明格式的模型文件、服务器中的模型是否为此名称、其运行时是否支持协议 "
            "{protocol}。日志: {logs}",
        ),
        f.HttpError: Words(
            "HTTP {status}",
            "{path} 返回 HTTP {status}（Host {host}）: {said}。",
            "401 与 403 来自访问策略，3xx 来自重定向（通常到 TLS），502 至 504 表示网关在路由后找不到运行中的 Pod。模"
            "型日志: {logs}",
        ),
        f.GrpcError: Words(
            "gRPC {status}",
            "{path} 返回 gRPC 状态 {status}（authority {host}）: {said}。",
            "UNAUTHENTICATED 与 PERMISSION_DENIED 来自访问策略，UNAVAILABLE 表示网关在路由后找不到运行中的 Pod，"
            "UNIMPLEMENTED 与 UNKNOWN 表示该端口上的服务器不支持 gRPC。模型日志: {logs}",
        ),
        f.NotJson: Words(
            "不是 JSON",
            "{path} 的响应（Host {host}）不是 JSON，而是 {content_type}: {said}。",
            "响应者不是模型服务器：请检查 `gateway_address` 与 `host`。可尝试: {curl}",
        ),
        f.PredictionRefused: Words(
            "预测被拒绝（HTTP {status}）",
            "模型已就绪，但对预测请求返回 HTTP {status}: {said}。",
            "请对照模型的训练数据检查 `check.instances`（特征数、类型）。日志: {logs}",
        ),
        f.GrpcPredictionRefused: Words(
            "预测被拒绝（{status}）",
            "模型已就绪，但对预测请求返回 gRPC 状态 {status}: {said}。",
            "请对照模型的训练数据检查 `check.instances`（特征数、类型）。日志: {logs}",
        ),
        f.GrpcAnswerUnusable: Words(
            "响应中没有预测结果",
            "gRPC 状态为 OK，但响应中没有可用的预测结果: {said}。",
            "第一个输出必须是协议所定义数据类型的张量，其数据须与形状一致。模型日志: {logs}",
        ),
        f.ErrorInAnswer: Words(
            "200 中含错误",
            "HTTP 200，但其中没有可用的预测结果: {said}。",
            "服务器对失败的预测报告了成功。请检查 `check.instances` 是否适合该模型；日志: {logs}",
        ),
        f.NoExplanation: Words(
            "没有解释",
            "模型能够预测，但 {path} 的响应（HTTP {status}）中没有 explanations: {said}。",
            "解释器的响应必须包含 `explanations`。其日志: {explainer_logs}",
        ),
        f.WrongShape: Words(
            "形状不符",
            "响应的形状不同（预测数 × 每行宽度）：预期 {expected_shape}，实际 {got_shape}；预期 {expected}，实际 "
            "{got}。",
            "此名称背后可能是另一种模型（概率而非标签，或类别数不同）。请更正 `storage_uri`；若模型无误，请更新 "
            "`check.predictions`。",
        ),
        f.WrongValue: Words(
            "数值不符",
            "响应的数值不同：预期 {expected}，实际 {got}；最大差异 {difference}，位于 {where}，容差 {tolerance:g}。",
            "此名称背后可能是另一个模型：请检查它与其他模型的 `storage_uri` 是否互换。若模型无误，请更新 "
            "`check.predictions`。",
        ),
        f.LoadFailed: Words(
            "加载失败",
            "KServe 无法加载模型: {reason}: {message}（InferenceService {namespace}/{name}，{transition}）。",
            "请更正其中指出的设置（`storage_uri`、`format`、`runtime`），然后运行 `pulumi up`。下载日志: "
            "{storage_logs}",
        ),
        f.StorageRefused: Words(
            "存储密钥被拒绝",
            "存储拒绝了访问密钥: {reason}: {message}（InferenceService {namespace}/{name}，{transition}）。",
            "请在栈设置 `storage.<name>` 中填写正确的密钥（<name> 为模型的 `storage`），并确保其有列出和读取存储桶的"
            "权限，然后运行 `pulumi up`。",
        ),
    },
)
