package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	api "k8s.io/kubernetes/pkg/apis/core"
)

// court is what a verdict takes besides the document: the pod security policies, and whether to show what was read.
type court struct {
	security *podSecurity
	showJSON bool
}

// verdict says what the server would say to one document.
func (s *court) verdict(id any, text []byte) *Verdict {
	v := newVerdict(id)
	defer func() { v.Accepted = v.Supported && len(v.DecodeErrors)+len(v.Errors) == 0 && v.Panic == "" }()
	data, problems, warnings := toJSON(text)
	v.DecodeErrors = append(v.DecodeErrors, problems...)
	v.Warnings = append(v.Warnings, warnings...)
	if s.showJSON {
		v.JSON = data
	}
	if data == nil {
		v.Supported = true
		return v
	}
	if string(data) == "null" {
		v.Empty, v.Supported = true, true
		return v
	}
	s.object(v, data)
	return v
}

// object judges one object, or each item of a list, since that is what a client sends.
func (s *court) object(v *Verdict, data []byte) {
	var head struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Items      []json.RawMessage `json:"items"`
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		v.Supported = true
		v.DecodeErrors = append(v.DecodeErrors, Problem{Type: "NotAnObject", Detail: err.Error()})
		return
	}
	for _, part := range []struct {
		name string
		into *string
	}{{"apiVersion", &head.APIVersion}, {"kind", &head.Kind}} {
		if err := json.Unmarshal(orNull(fields[part.name]), part.into); err != nil {
			v.DecodeErrors = append(v.DecodeErrors, Problem{Field: part.name, Type: "WrongType", Detail: err.Error()})
		} else if *part.into == "" {
			v.DecodeErrors = append(v.DecodeErrors, Problem{Field: part.name, Type: "Required", Detail: part.name + " not set"})
		}
	}
	v.APIVersion, v.Kind = head.APIVersion, head.Kind
	if head.APIVersion == "" || head.Kind == "" {
		v.Supported = true
		return
	}
	if strings.HasSuffix(head.Kind, "List") && json.Unmarshal(orNull(fields["items"]), &head.Items) == nil && fields["items"] != nil {
		v.Supported = true
		for i, item := range head.Items {
			one := newVerdict(nil)
			s.object(one, typedItem(item, head.APIVersion, strings.TrimSuffix(head.Kind, "List")))
			v.merge("items["+strconv.Itoa(i)+"]", one)
		}
		return
	}
	gv, err := schema.ParseGroupVersion(head.APIVersion)
	if err != nil {
		v.Supported = true
		v.DecodeErrors = append(v.DecodeErrors, Problem{Field: "apiVersion", Type: "Invalid", Detail: err.Error()})
		return
	}
	s.builtin(v, data, gv.WithKind(head.Kind))
}

// typedItem gives an item of a typed list the kind that its list implies, where it has none itself, as clients do.
func typedItem(item json.RawMessage, apiVersion, kind string) json.RawMessage {
	var fields map[string]json.RawMessage
	if kind == "" || json.Unmarshal(item, &fields) != nil || fields == nil || fields["kind"] != nil {
		return item
	}
	fields["kind"], _ = json.Marshal(kind)
	fields["apiVersion"], _ = json.Marshal(apiVersion)
	typed, err := json.Marshal(fields)
	if err != nil {
		return item
	}
	return typed
}

func orNull(raw json.RawMessage) []byte {
	if raw == nil {
		return []byte("null")
	}
	return raw
}

// builtin judges an object of a kind the server has; one of another group is left to whoever has it.
func (s *court) builtin(v *Verdict, data []byte, gvk schema.GroupVersionKind) {
	versions, known := served[gvk.Group]
	if !known {
		return
	}
	strategy := strategies[gvk.GroupKind()]
	world := worldOf(gvk.Group)
	if !slices.Contains(versions, gvk.Version) || !world.scheme.Recognizes(gvk) {
		v.Supported = true
		v.DecodeErrors = append(v.DecodeErrors, Problem{
			Type:   "NotServed",
			Field:  "apiVersion",
			Detail: fmt.Sprintf("no matches for kind %q in version %q", gvk.Kind, gvk.GroupVersion()),
		})
		return
	}
	if strategy == nil {
		return
	}
	v.Supported = true
	defer func() {
		if r := recover(); r != nil {
			v.Panic = fmt.Sprintf("%v\n%s", r, debug.Stack())
		}
	}()
	obj, problems := world.decode(data, gvk)
	v.DecodeErrors = append(v.DecodeErrors, problems...)
	if obj == nil {
		return
	}
	if world == core {
		if err := s.security.judge(v, obj, gvk); err != nil {
			v.Panic = "pod security: " + err.Error()
		}
	}
	create(v, strategy, obj, gvk)
}

// create does what the handler and the registry do with an object of a POST, up to the storage, in their order:
// metadata that is not the client's is wiped, the namespace settled, system fields filled, the strategy run.
func create(v *Verdict, strategy rest.RESTCreateStrategy, obj runtime.Object, gvk schema.GroupVersionKind) {
	object, err := meta.Accessor(obj)
	if err != nil {
		v.Panic = err.Error()
		return
	}
	space := object.GetNamespace()
	if space == "" {
		space = "default" // a client fills in the namespace of its context
	}
	if !strategy.NamespaceScoped() {
		space = ""
	}
	ctx := requestFor(gvk, space, object.GetName())
	rest.WipeObjectMetaSystemFields(object)
	if err := rest.EnsureObjectNamespaceMatchesRequestNamespace(space, object); err != nil {
		v.Errors = append(v.Errors, Problem{Field: "metadata.namespace", Type: "Invalid", Detail: err.Error()})
		return
	}
	rest.FillObjectMetaSystemFields(object)
	if object.GetGenerateName() != "" && object.GetName() == "" {
		object.SetName(strategy.GenerateName(object.GetGenerateName()))
	}
	if service, ok := obj.(*api.Service); ok {
		allocate(service)
	}
	strategy.PrepareForCreate(ctx, obj)
	for _, err := range rest.ValidateCreate(ctx, obj, strategy) {
		v.Errors = append(v.Errors, problemOf(err))
	}
	if len(v.Errors) == 0 {
		v.Warnings = append(v.Warnings, strategy.WarningsOnCreate(ctx, obj)...)
	}
}

func requestFor(gvk schema.GroupVersionKind, namespace, name string) context.Context {
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	return request.WithRequestInfo(request.WithNamespace(context.Background(), namespace), &request.RequestInfo{
		IsResourceRequest: true,
		Verb:              "create",
		APIGroup:          gvk.Group,
		APIVersion:        gvk.Version,
		Resource:          plural.Resource,
		Namespace:         namespace,
		Name:              name,
	})
}

// allocate stands for the allocator that runs before a Service is validated: in a cluster of one family, IPv4, it
// settles the family and gives an address, where the manifest leaves that open.
func allocate(service *api.Service) {
	spec := &service.Spec
	if len(spec.ClusterIPs) == 0 && spec.ClusterIP != "" {
		spec.ClusterIPs = []string{spec.ClusterIP}
	}
	if spec.Type == api.ServiceTypeExternalName {
		return
	}
	if spec.IPFamilyPolicy == nil {
		single := api.IPFamilyPolicySingleStack
		spec.IPFamilyPolicy = &single
	}
	if len(spec.IPFamilies) == 0 {
		spec.IPFamilies = []api.IPFamily{api.IPv4Protocol}
	}
	if len(spec.ClusterIPs) == 0 {
		spec.ClusterIP, spec.ClusterIPs = "10.96.0.10", []string{"10.96.0.10"}
	}
}
