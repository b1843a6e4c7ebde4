// Package v2 registers Kubernetes objects under the token of their kind, without a Go type for each of them.
package v2

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

type object struct{ pulumi.CustomResourceState }

// RegisterResource registers an object of any kind: all tokens follow one rule.
func RegisterResource(ctx *pulumi.Context, apiVersion, kind, name string, props pulumi.Input,
	opts ...pulumi.ResourceOption) (pulumi.CustomResource, error) {
	group := apiVersion
	if group == "v1" {
		group = "core/v1"
	}
	res := &object{}
	return res, ctx.RegisterResource("kubernetes:"+group+":"+kind, name, props, res, opts...)
}
