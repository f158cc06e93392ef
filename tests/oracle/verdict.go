package main

import (
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Problem is one thing the server refuses: the path of the field as the server writes it, and what is wrong with it.
type Problem struct {
	Field   string `json:"field"`
	Type    string `json:"type"`
	Detail  string `json:"detail"`
	Message string `json:"message,omitempty"`
	Line    int    `json:"line,omitempty"`
}

// Check is a pod security check that a pod fails.
type Check struct {
	Check           string `json:"check"`
	ForbiddenReason string `json:"forbiddenReason"`
	ForbiddenDetail string `json:"forbiddenDetail"`
}

// Levels holds the checks that fail at each pod security level.
type Levels struct {
	Baseline   []Check `json:"baseline"`
	Restricted []Check `json:"restricted"`
}

// Verdict is what the server says to one document.
type Verdict struct {
	ID            any               `json:"id"`
	APIVersion    string            `json:"apiVersion"`
	Kind          string            `json:"kind"`
	Empty         bool              `json:"empty,omitempty"`
	Supported     bool              `json:"supported"`
	Accepted      bool              `json:"accepted"`
	DecodeErrors  []Problem         `json:"decodeErrors"`
	Errors        []Problem         `json:"errors"`
	Warnings      []string          `json:"warnings"`
	PodSecurity   *Levels           `json:"podSecurity"`
	PodSecurityAt map[string]Levels `json:"podSecurityAt,omitempty"`
	Panic         string            `json:"panic,omitempty"`
	JSON          json.RawMessage   `json:"json,omitempty"`
}

func newVerdict(id any) *Verdict {
	return &Verdict{ID: id, DecodeErrors: []Problem{}, Errors: []Problem{}, Warnings: []string{}}
}

// problemOf turns a validation error of the server into data; its type loses the prefix "FieldValue".
func problemOf(err *field.Error) Problem {
	return Problem{
		Field:   err.Field,
		Type:    strings.TrimPrefix(string(err.Type), "FieldValue"),
		Detail:  err.Detail,
		Message: err.Error(),
	}
}

// under puts a problem of a list's item where it stands in the document.
func (p Problem) under(prefix string) Problem {
	if p.Field == "" || p.Field == "<nil>" {
		p.Field = prefix
	} else {
		p.Field = prefix + "." + p.Field
	}
	return p
}

// merge adds the verdict on a list's item to that on the list.
func (v *Verdict) merge(prefix string, item *Verdict) {
	v.Supported = v.Supported && item.Supported
	for _, p := range item.DecodeErrors {
		v.DecodeErrors = append(v.DecodeErrors, p.under(prefix))
	}
	for _, p := range item.Errors {
		v.Errors = append(v.Errors, p.under(prefix))
	}
	for _, w := range item.Warnings {
		v.Warnings = append(v.Warnings, prefix+"."+w)
	}
	if item.Panic != "" {
		v.Panic = prefix + ": " + item.Panic
	}
	if item.PodSecurity == nil {
		return
	}
	if v.PodSecurity == nil {
		v.PodSecurity = &Levels{Baseline: []Check{}, Restricted: []Check{}}
	}
	v.PodSecurity.add(*item.PodSecurity)
	for version, levels := range item.PodSecurityAt {
		if v.PodSecurityAt == nil {
			v.PodSecurityAt = map[string]Levels{}
		}
		sum, found := v.PodSecurityAt[version]
		if !found {
			sum = Levels{Baseline: []Check{}, Restricted: []Check{}}
		}
		sum.add(levels)
		v.PodSecurityAt[version] = sum
	}
}

func (l *Levels) add(other Levels) {
	l.Baseline = append(l.Baseline, other.Baseline...)
	l.Restricted = append(l.Restricted, other.Restricted...)
}
