// The oracle says what a Kubernetes API server says to a manifest, by running the server's own decoding, defaulting and
// validation over documents from standard input. It knows nothing of what anybody else thinks of them.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/version"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/capabilities"
	"k8s.io/pod-security-admission/api"
)

func main() {
	debug.SetGCPercent(400) // a short run with small documents: memory is cheaper than collecting it
	lines := flag.Bool("jsonl", false, `read lines of {"id": ..., "yaml": "one document"} instead of a stream of YAML documents`)
	security := flag.String("pod-security-version", "", "also judge pod security at these policies, as in v1.25,v1.30")
	emulate := flag.String("emulate", "", "set feature gates to their defaults of an older minor version, as in 1.35")
	showJSON := flag.Bool("json", false, "show each document as the JSON that it was read as")
	showVersion := flag.Bool("version", false, "print the version of Kubernetes built in, and end")
	flag.Parse()
	if *showVersion {
		fmt.Println(kubernetesVersion())
		return
	}
	if err := run(os.Stdin, os.Stdout, *lines, *showJSON, *security, *emulate); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

// kubernetesVersion is that of the module k8s.io/kubernetes in this binary.
func kubernetesVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "k8s.io/kubernetes" {
				return module.Version
			}
		}
	}
	return "unknown"
}

func run(in io.Reader, out io.Writer, lines, showJSON bool, security, emulate string) error {
	klog.SetLogger(logr.Discard())
	capabilities.Setup(true, 0) // --allow-privileged, which every installer sets, though the flag's default is false
	emulation, err := emulated(emulate)
	if err != nil {
		return err
	}
	policies, err := newPodSecurity(split(security), emulation)
	if err != nil {
		return err
	}
	judge := &court{policies, showJSON}
	buffered := bufio.NewWriter(out)
	defer buffered.Flush()
	encoder := json.NewEncoder(buffered)
	encoder.SetEscapeHTML(false)
	if lines {
		return eachLine(in, judge, encoder)
	}
	return eachDocument(in, judge, encoder)
}

// emulated sets the feature gates back to an older minor version.
func emulated(text string) (*api.Version, error) {
	if text == "" {
		return nil, nil
	}
	older, err := version.ParseMajorMinor(text)
	if err != nil {
		return nil, fmt.Errorf("-emulate %q: %w", text, err)
	}
	if err := utilfeature.DefaultMutableFeatureGate.SetEmulationVersion(older); err != nil {
		return nil, fmt.Errorf("-emulate %q: %w", text, err)
	}
	pod := api.MajorMinorVersion(int(older.Major()), int(older.Minor()))
	return &pod, nil
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func eachLine(in io.Reader, judge *court, encoder *json.Encoder) error {
	decoder := json.NewDecoder(bufio.NewReaderSize(in, 1<<20))
	for {
		var line struct {
			ID   any     `json:"id"`
			YAML *string `json:"yaml"`
		}
		switch err := decoder.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading a line of input: %w", err)
		case line.YAML == nil:
			return fmt.Errorf(`line with id %v has no "yaml"`, line.ID)
		}
		if err := encoder.Encode(one(judge, line.ID, *line.YAML)); err != nil {
			return err
		}
	}
}

// one judges a text that has to hold a single document.
func one(judge *court, id any, text string) *Verdict {
	documents, err := documentsOf(strings.NewReader(text))
	switch {
	case err != nil || len(documents) <= 1:
		if len(documents) == 1 {
			return judge.verdict(id, documents[0])
		}
		return judge.verdict(id, []byte(text))
	}
	v := newVerdict(id)
	v.Supported = true
	v.DecodeErrors = append(v.DecodeErrors, Problem{
		Type: "Stream", Detail: fmt.Sprintf("holds %d documents instead of one", len(documents)),
	})
	return v
}

func eachDocument(in io.Reader, judge *court, encoder *json.Encoder) error {
	documents, err := documentsOf(in)
	if err != nil {
		return err
	}
	for i, document := range documents {
		if err := encoder.Encode(judge.verdict(i, document)); err != nil {
			return err
		}
	}
	return nil
}

// documentsOf splits a stream as clients do, at lines of `---`, and drops what is empty or holds comments alone.
func documentsOf(in io.Reader) ([][]byte, error) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(in))
	var documents [][]byte
	for {
		document, err := reader.Read()
		if len(document) > 0 && !blank(document) {
			documents = append(documents, document)
		}
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return documents, err
		}
	}
}

func blank(document []byte) bool {
	for line := range strings.Lines(string(document)) {
		line = strings.TrimSpace(line)
		if line != "" && line != "---" && line != "..." && !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
}
