// Compares as Argo CD does what is declared with what the cluster has. Its arguments are the cluster's OpenAPI (version 2)
// and the name of the field manager; standard input has a JSON object a line with `config`, as it stands in Git, `live`, and
// `predicted`, what a server-side apply of config would make of live. Written is, a line each, what differs by each of its
// three ways: null where nothing does.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	openapi "github.com/google/gnostic-models/openapiv2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/kube-openapi/pkg/util/proto"
)

type comparison struct {
	Config    *unstructured.Unstructured `json:"config"`
	Live      *unstructured.Unstructured `json:"live"`
	Predicted json.RawMessage            `json:"predicted"`
}

type difference struct {
	Live      json.RawMessage `json:"live"`
	Predicted json.RawMessage `json:"predicted"`
}

// The API server's answer to a dry run, which whoever runs this has asked for.
func (c comparison) Run(context.Context, *unstructured.Unstructured, string) (string, error) {
	return string(c.Predicted), nil
}

func main() {
	kinds, manager := readKinds(os.Args[1]), os.Args[2]
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		said := map[string]*difference{}
		for name, options := range map[string][]diff.Option{
			// What Argo CD does by itself, with the sync option ServerSideApply, and with ServerSideDiff.
			"threeWay":        nil,
			"structuredMerge": {diff.WithStructuredMergeDiff(true)},
			"serverSide":      {diff.WithServerSideDiff(true)},
		} {
			var compared comparison
			check(json.Unmarshal(lines.Bytes(), &compared))
			options = append(options, diff.WithGVKParser(kinds), diff.WithManager(manager), diff.WithServerSideDryRunner(compared))
			result, err := diff.Diff(compared.Config, compared.Live, options...)
			check(err)
			if said[name] = nil; result.Modified {
				said[name] = &difference{result.NormalizedLive, result.PredictedLive}
			}
		}
		written, err := json.Marshal(said)
		check(err)
		fmt.Println(string(written))
	}
	check(lines.Err())
}

func readKinds(file string) *managedfields.GvkParser {
	text, err := os.ReadFile(file)
	check(err)
	document, err := openapi.ParseDocument(text)
	check(err)
	models, err := proto.NewOpenAPIData(document)
	check(err)
	kinds, err := managedfields.NewGVKParser(models, false)
	check(err)
	return kinds
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
