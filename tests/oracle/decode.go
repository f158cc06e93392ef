package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"sort"
	"strconv"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// maxWrongTypes bounds how many values of a wrong type are looked for in one document.
const maxWrongTypes = 20

var (
	lineOf   = regexp.MustCompile(`line (\d+)`)
	strictOf = regexp.MustCompile(`^(unknown|duplicate) field "(.*)"$`)
)

// toJSON turns a YAML (or JSON) document into JSON as the server's YAML serializer does: keys sorted, scalars resolved.
// What only its strict mode refuses, duplicate keys, comes back as problems; those of a JSON text show when it is decoded.
// Strict mode also refuses a key that stands in a map and in what is merged into it; a client has resolved that before it
// sends the object, so it is a warning here.
func toJSON(text []byte) (data []byte, problems []Problem, warnings []string) {
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(trimmed) {
		return trimmed, nil, nil
	}
	data, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, []Problem{{Type: "Syntax", Detail: err.Error(), Line: firstLine(err.Error())}}, nil
	}
	_, err = yaml.YAMLToJSONStrict(text)
	if err == nil {
		return data, nil, nil
	}
	paths, merges := literalDuplicates(text)
	for _, line := range strings.Split(err.Error(), "\n") {
		if !strings.HasSuffix(line, "already set in map") {
			continue
		}
		line = strings.TrimSpace(line)
		at, literal := paths[firstLine(line)]
		if literal || !merges {
			problems = append(problems, Problem{Field: at, Type: "DuplicateField", Detail: line, Line: firstLine(line)})
		} else {
			warnings = append(warnings, "merged: "+line)
		}
	}
	if len(problems)+len(warnings) == 0 {
		problems = []Problem{{Type: "Strict", Detail: err.Error(), Line: firstLine(err.Error())}}
	}
	return data, problems, warnings
}

// literalDuplicates returns the paths of keys that stand twice in one map, by line, and whether the text merges maps.
func literalDuplicates(text []byte) (paths map[int]string, merges bool) {
	paths = map[int]string{}
	var document yamlv3.Node
	if err := yamlv3.Unmarshal(text, &document); err != nil {
		return paths, false
	}
	var walk func(node *yamlv3.Node, path string)
	walk = func(node *yamlv3.Node, path string) {
		switch node.Kind {
		case yamlv3.DocumentNode:
			walk(node.Content[0], path)
		case yamlv3.SequenceNode:
			for i, child := range node.Content {
				walk(child, path+"["+strconv.Itoa(i)+"]")
			}
		case yamlv3.MappingNode:
			seen := map[[2]string]bool{}
			for i := 0; i+1 < len(node.Content); i += 2 {
				key := node.Content[i]
				at := strings.TrimPrefix(path+"."+key.Value, ".")
				merges = merges || key.Tag == "!!merge"
				if id := [2]string{key.Tag, key.Value}; seen[id] {
					paths[key.Line] = at
				} else {
					seen[id] = true
				}
				walk(node.Content[i+1], at)
			}
		}
	}
	walk(&document, "")
	return paths, merges
}

func firstLine(message string) int {
	if found := lineOf.FindStringSubmatch(message); found != nil {
		n, _ := strconv.Atoi(found[1])
		return n
	}
	return 0
}

// decode reads JSON into the hub version, defaulted, as the server does with fieldValidation=Strict. The object is nil
// where the text does not decode at all; with strict problems alone it is there, so that its validation can be seen too.
func (w *built) decode(data []byte, gvk schema.GroupVersionKind) (runtime.Object, []Problem) {
	obj, err := w.toHub(data, gvk)
	if err == nil {
		return obj, nil
	}
	if strict, ok := runtime.AsStrictDecodingError(err); ok && obj != nil {
		var problems []Problem
		for _, e := range strict.Errors() {
			problems = append(problems, strictProblem(e))
		}
		return obj, problems
	}
	return nil, w.wrongTypes(data, gvk, err)
}

func (w *built) toHub(data []byte, gvk schema.GroupVersionKind) (runtime.Object, error) {
	hub := schema.GroupVersion{Group: gvk.Group, Version: runtime.APIVersionInternal}
	obj, _, err := w.codecs.DecoderToVersion(w.json().StrictSerializer, hub).Decode(data, &gvk, nil)
	return obj, err
}

func (w *built) json() runtime.SerializerInfo {
	info, _ := runtime.SerializerInfoForMediaType(w.codecs.SupportedMediaTypes(), runtime.ContentTypeJSON)
	return info
}

func strictProblem(err error) Problem {
	problem := Problem{Type: "Strict", Detail: err.Error()}
	var at kjson.FieldError
	if errors.As(err, &at) {
		problem.Field = at.FieldPath()
	}
	if found := strictOf.FindStringSubmatch(err.Error()); found != nil {
		problem.Type = map[string]string{"unknown": "UnknownField", "duplicate": "DuplicateField"}[found[1]]
		problem.Field = found[2]
	}
	return problem
}

// wrongTypes says where the values stand that do not decode. The server names the first one only, without indices, and
// for some types (quantities, times) names no field at all; so the place is found by decoding ever shorter beginnings of
// the document, the rest of it null, and then the next one after taking the found one out.
func (w *built) wrongTypes(data []byte, gvk schema.GroupVersionKind, first error) []Problem {
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return []Problem{{Type: "Syntax", Detail: first.Error()}}
	}
	reader := w.codecs.WithoutConversion().DecoderToVersion(w.json().Serializer, gvk.GroupVersion())
	var problems []Problem
	for range maxWrongTypes {
		fatal := func(keep int) error {
			text, err := json.Marshal(beginning(tree, &keep))
			if err == nil {
				_, _, err = reader.Decode(text, &gvk, nil)
			}
			return err
		}
		total := count(tree)
		if fatal(total) == nil {
			break
		}
		nth := sort.Search(total, func(n int) bool { return fatal(n) != nil })
		err := fatal(nth)
		path, rest := without(tree, nth)
		problems = append(problems, Problem{Field: path, Type: "WrongType", Detail: err.Error()})
		if nth <= 1 {
			break // not a value but the document as such
		}
		tree = rest
	}
	if len(problems) == 0 {
		problems = append(problems, Problem{Type: "WrongType", Detail: first.Error()})
	}
	return problems
}

// count returns how many values a tree has, itself included.
func count(tree any) int {
	n := 1
	switch node := tree.(type) {
	case map[string]any:
		for _, child := range node {
			n += count(child)
		}
	case []any:
		for _, child := range node {
			n += count(child)
		}
	}
	return n
}

// beginning copies the first values of a tree, in the order of the text, and puts null for the others.
func beginning(tree any, keep *int) any {
	if *keep <= 0 {
		return nil
	}
	*keep--
	switch node := tree.(type) {
	case map[string]any:
		copied := make(map[string]any, len(node))
		for _, key := range sortedKeys(node) {
			copied[key] = beginning(node[key], keep)
		}
		return copied
	case []any:
		copied := make([]any, len(node))
		for i := range node {
			copied[i] = beginning(node[i], keep)
		}
		return copied
	}
	return tree
}

// without returns the path of the nth value of a tree, counted from one, and the tree with null in its place.
func without(tree any, nth int) (string, any) {
	left, at := nth, ""
	var walk func(node any, path string) any
	walk = func(node any, path string) any {
		left--
		if left == 0 {
			at = path
			return nil
		}
		switch node := node.(type) {
		case map[string]any:
			copied := make(map[string]any, len(node))
			for _, key := range sortedKeys(node) {
				copied[key] = walk(node[key], strings.TrimPrefix(path+"."+key, "."))
			}
			return copied
		case []any:
			copied := make([]any, len(node))
			for i := range node {
				copied[i] = walk(node[i], path+"["+strconv.Itoa(i)+"]")
			}
			return copied
		}
		return node
	}
	rest := walk(tree, "")
	return at, rest
}

func sortedKeys(node map[string]any) []string {
	keys := make([]string, 0, len(node))
	for key := range node {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
