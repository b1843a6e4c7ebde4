// pulumi-resource-kubernetes with the schema files of its own module embedded.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

func compact(source []byte) []byte {
	var out bytes.Buffer
	if err := json.Compact(&out, source); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func main() {
	provider.Serve("kubernetes", version.Version, compact(schema), compact(terraformMapping))
}
