"""Run a Pulumi program against a monitor that records every resource, and tell which resource waits for which."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pulumi
from google.protobuf import json_format
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime._callbacks import _CallbackServicer
from pulumi.runtime.proto import callback_pb2, resource_pb2

from components.ownership.stack_identity import StackIdentityProvider

PROJECT = "kserve-multi-model"
PROVIDER = {"urn:pulumi:dev::kserve-multi-model::pulumi:providers:kubernetes::cluster": "pulumi:providers:kubernetes"}


@dataclass(frozen=True)
class Resource:
    """A resource as the program registered it.

    Attributes:
        inputs: as sent to the engine, with wrapped secrets.
        dependencies: URNs of the resources it waits for.
        on_error: names of its error hooks.
        beforehand: names of its hooks before creation.
        afterwards: names of its hooks after creation, and of those after an update.
        bounds: its custom timeouts, as `create`, `update` and `delete`.
        ignored: paths of the inputs whose changes are ignored.
        replaced_by: paths of the inputs whose changes replace it.
        deleted_first: whether it is deleted before its replacement is created.
        deleted_with: URN of the resource whose deletion deletes it, too; empty if there is none.

    """

    urn: str
    type: str
    name: str
    parent: str
    remote: bool
    inputs: Mapping[str, Any]
    dependencies: frozenset[str]
    provider: str
    retained: bool
    ignored: tuple[str, ...]
    on_error: tuple[str, ...]
    beforehand: tuple[str, ...]
    afterwards: tuple[tuple[str, ...], tuple[str, ...]]
    bounds: Mapping[str, str]
    transforms: tuple[Callable[[pulumi.ResourceTransformArgs], pulumi.ResourceTransformResult | None], ...]
    replaced_by: tuple[str, ...]
    deleted_first: bool
    deleted_with: str

    @property
    def plain(self) -> Any:
        """The inputs with secrets unwrapped."""
        return _unwrapped(self.inputs)


@dataclass(frozen=True)
class Recording:
    """The resources of one run, the outputs of its stack, and its error hooks and other hooks by name."""

    resources: Mapping[str, Resource]
    outputs: Mapping[str, Any]
    hooks: Mapping[str, pulumi.ErrorHook]
    afterwards: Mapping[str, pulumi.ResourceHook]

    def the(self, type_ending: str, name: str) -> Resource:
        """Return the one resource with this name whose type ends with `type_ending`, such as `:Namespace`."""
        found = [r for r in self.resources.values() if r.type.endswith(type_ending) and r.name == name]
        assert len(found) == 1, f"{len(found)} of {type_ending} {name}, there are {sorted(self.names)}"
        return found[0]

    @property
    def names(self) -> Iterator[str]:
        return (f"{resource.type} {resource.name}" for resource in self.resources.values())

    def waits_for(self, later: Resource, earlier: Resource) -> bool:
        """Return whether `later` is created after `earlier`, and so destroyed before it."""
        return earlier.urn in self._before[later.urn]

    @cached_property
    def _before(self) -> Mapping[str, frozenset[str]]:
        """URNs of what is created before each resource: its parent, its dependencies, and what those wait for."""
        known: dict[str, frozenset[str]] = {}

        def before(urn: str, path: tuple[str, ...]) -> frozenset[str]:
            assert urn not in path, f"a circle: {' → '.join((*path, urn))}"
            if urn not in known:
                resource = self.resources[urn]
                direct = resource.dependencies | ({resource.parent} if resource.parent in self.resources else set())
                known[urn] = direct.union(*(before(other, (*path, urn)) for other in direct & self.resources.keys()))
            return known[urn]

        for urn in self.resources:
            before(urn, ())
        return known


@dataclass(frozen=True)
class _Echo(pulumi.runtime.Mocks):
    """Return a resource's inputs as its outputs, an address for a load balancer, and the outputs of other stacks.

    Attributes:
        stacks: outputs of other stacks by their full names.
        state: types of the resources in the stack's own state, by URN.
    """

    stacks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)
    load_balancer = "192.0.2.7"

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        assert args.token == "pulumi:pulumi:readStackResourceOutputs", f"the program calls {args.token}"
        return {"outputs": {urn: {"type": type_, "outputs": {}} for urn, type_ in self.state.items()}}, []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        if args.typ == "pulumi:pulumi:StackReference":
            name = args.inputs["name"]
            return name, {"name": name, "outputs": self.stacks[name], "secretOutputNames": []}
        if args.typ.endswith(":StackIdentity"):
            made = StackIdentityProvider().create(dict(args.inputs))
            return made.id, made.outs or {}
        if args.typ.endswith("helm.sh/v3:Release"):
            return args.name, {**args.inputs, "status": {"namespace": args.inputs["namespace"], "status": "deployed"}}
        if args.typ == "kubernetes:core/v1:Service" and args.inputs["spec"]["type"] == "LoadBalancer":
            points = [{"ip": self.load_balancer}]
            return args.name, {**args.inputs, "status": {"loadBalancer": {"ingress": points}}}
        return f"{args.name}-id", dict(args.inputs)


@dataclass
class _Monitor(mocks.MockMonitor):
    callbacks: _Callbacks
    echo: _Echo

    def __post_init__(self) -> None:
        super().__init__(self.echo)
        self.seen: dict[str, Resource] = {}

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> Any:  # noqa: N802 - gRPC's name
        self.callbacks.transform(request)
        with _loop_of_this_thread():
            answer: Any = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        dependencies = set(request.dependencies)
        for of_property in request.propertyDependencies.values():
            dependencies.update(of_property.urns)
        if request.type != "pulumi:pulumi:Stack":
            assert answer.urn not in self.seen, f"{request.type} {request.name} is declared twice"
            self.seen[answer.urn] = Resource(
                urn=answer.urn,
                type=request.type,
                name=request.name,
                parent=request.parent,
                remote=request.remote,
                inputs=json_format.MessageToDict(request.object),
                dependencies=frozenset(dependencies),
                provider=request.provider,
                retained=request.retainOnDelete,
                ignored=tuple(request.ignoreChanges),
                on_error=tuple(request.hooks.on_error),
                beforehand=tuple(request.hooks.before_create),
                afterwards=(tuple(request.hooks.after_create), tuple(request.hooks.after_update)),
                bounds=json_format.MessageToDict(request.customTimeouts),
                transforms=tuple(self.callbacks.transforms[callback.token] for callback in request.transforms),
                replaced_by=tuple(request.replaceOnChanges),
                deleted_first=request.deleteBeforeReplace,
                deleted_with=request.deletedWith,
            )
        return answer


@contextmanager
def _loop_of_this_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop for a thread of Pulumi's that has none; its mocks would make one, and leave it open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


@dataclass
class _Callbacks:
    """Stands in for the server through which the engine calls hooks and transforms."""

    hooks: dict[str, pulumi.ErrorHook] = field(default_factory=dict)
    afterwards: dict[str, pulumi.ResourceHook] = field(default_factory=dict)
    transforms: dict[str, Any] = field(default_factory=dict)
    of_the_stack: list[Callable[[bytes], Awaitable[Any]]] = field(default_factory=list)
    context: Context = field(default_factory=copy_context)

    def register_stack_transform(self, transform: Any) -> None:
        """Keep a transform of every resource, in the form in which the engine calls it."""
        servicer = _CallbackServicer.__new__(_CallbackServicer)
        servicer._callbacks, servicer._transforms, servicer._target = {}, {}, ""
        self.context = copy_context()  # requests come from other threads, where Pulumi's settings are not
        self.of_the_stack.append(servicer._callbacks[servicer.register_transform(transform).token])

    def transform(self, request: resource_pb2.RegisterResourceRequest) -> None:
        """Do with a request what the engine does with the stack's transforms."""
        for transform in self.of_the_stack:
            options = resource_pb2.TransformResourceOptions(
                depends_on=request.dependencies,
                ignore_changes=request.ignoreChanges,
                replace_on_changes=request.replaceOnChanges,
                provider=request.provider,
                retain_on_delete=request.retainOnDelete,
                deleted_with=request.deletedWith,
                hooks=request.hooks,
            )
            if request.HasField("customTimeouts"):
                options.custom_timeouts.CopyFrom(request.customTimeouts)
            if request.deleteBeforeReplaceDefined:
                options.delete_before_replace = request.deleteBeforeReplace
            asked = resource_pb2.TransformRequest(
                type=request.type,
                name=request.name,
                custom=request.custom,
                parent=request.parent,
                properties=request.object,
                options=options,
            )
            with _loop_of_this_thread() as loop:
                answer = self.context.copy().run(loop.run_until_complete, transform(asked.SerializeToString()))
            given = answer.options
            request.object.CopyFrom(answer.properties)
            request.provider, request.deletedWith = given.provider, given.deleted_with
            request.retainOnDelete, request.deleteBeforeReplace = given.retain_on_delete, given.delete_before_replace
            request.hooks.CopyFrom(given.hooks)
            request.customTimeouts.CopyFrom(given.custom_timeouts)
            request.dependencies[:] = given.depends_on
            request.ignoreChanges[:] = given.ignore_changes
            request.replaceOnChanges[:] = given.replace_on_changes

    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        assert hook.name not in self.afterwards, f"two hooks are called {hook.name}"
        self.afterwards[hook.name] = hook

    def register_error_hook(self, hook: pulumi.ErrorHook) -> None:
        assert hook.name not in self.hooks, f"two hooks are called {hook.name}"
        self.hooks[hook.name] = hook

    def register_transform(self, transform: Any) -> callback_pb2.Callback:
        token = str(len(self.transforms))
        self.transforms[token] = transform
        return callback_pb2.Callback(token=token)


def record(
    program: Callable[[], object],
    *,
    config: Mapping[str, str] | None = None,
    stack: str = "dev",
    stacks: Mapping[str, Mapping[str, Any]] | None = None,
    state: Mapping[str, str] | None = None,
) -> Recording:
    """Run a program and record it.

    `stacks` are the outputs of other stacks by their full names; `state` has the types of the resources that the stack
    has already, by URN. With PROVIDER it is a stack from before there were identities.

    Raises:
        Exception: whatever the program raises.

    """
    callbacks, echo = _Callbacks(), _Echo(stacks or {}, state or {})
    monitor = _Monitor(callbacks, echo)
    pulumi.runtime.set_mocks(
        echo, project=PROJECT, organization="organization", stack=stack, preview=False, monitor=monitor
    )
    settings.SETTINGS.callbacks = callbacks
    root: Any = pulumi.runtime.get_root_resource()
    root.outputs = {}
    root._async_program, root._async_program_registration_closed = None, False
    pulumi.runtime.set_all_config({f"{PROJECT}:{key}": value for key, value in (config or {}).items()}, [])
    outputs: dict[str, Any] = {}

    async def run() -> None:
        program()
        if asynchronous := root._take_async_program():
            root._add_program_outputs(await asynchronous())
        outputs.update(await pulumi.Output.from_input(dict(root.outputs)).future() or {})

    pulumi.runtime.test(lambda: pulumi.Output.from_input(run()))()  # type: ignore[arg-type, no-untyped-call]
    return Recording(resources=monitor.seen, outputs=outputs, hooks=callbacks.hooks, afterwards=callbacks.afterwards)


def _unwrapped(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
            return _unwrapped(value["value"])
        return {key: _unwrapped(inner) for key, inner in value.items()}
    return [_unwrapped(inner) for inner in value] if isinstance(value, list) else value


def without_secrets(value: Any) -> Any:
    """Return the value with None in place of each secret."""
    if isinstance(value, Mapping):
        if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
            return None
        return {key: without_secrets(inner) for key, inner in value.items()}
    return [without_secrets(inner) for inner in value] if isinstance(value, list) else value
