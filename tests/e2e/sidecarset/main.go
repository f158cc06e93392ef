// Runs the admission webhooks of OpenKruise on SidecarSets and pods, without a cluster.
//
// Built inside a copy of the source of github.com/openkruise/kruise (tools/e2e_tools.sh).
// stdin: {"whitelist": "...", "sidecarSets": [...], "pods": [...]}; stdout: {"problems": [...], "pods": [...]}.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	jsonpatch "github.com/evanphx/json-patch"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/openkruise/kruise/apis"
	appsv1alpha1 "github.com/openkruise/kruise/apis/apps/v1alpha1"
	"github.com/openkruise/kruise/pkg/util/fieldindex"
	podwebhook "github.com/openkruise/kruise/pkg/webhook/pod/mutating"
	defaulting "github.com/openkruise/kruise/pkg/webhook/sidecarset/mutating"
	validating "github.com/openkruise/kruise/pkg/webhook/sidecarset/validating"
)

type input struct {
	Whitelist   string            `json:"whitelist"`
	SidecarSets []json.RawMessage `json:"sidecarSets"`
	Pods        []json.RawMessage `json:"pods"`
}

type output struct {
	Problems []string          `json:"problems"`
	Pods     []json.RawMessage `json:"pods"`
}

func main() {
	var in input
	must(json.NewDecoder(os.Stdin).Decode(&in))
	scheme := runtime.NewScheme()
	must(clientgoscheme.AddToScheme(scheme))
	must(apis.AddToScheme(scheme))
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Group: "meta.k8s.io", Version: "v1"})
	decoder := admission.NewDecoder(scheme)
	out := output{Problems: []string{}, Pods: []json.RawMessage{}}

	builder := fake.NewClientBuilder().WithScheme(scheme).WithIndex(
		&appsv1alpha1.SidecarSet{}, fieldindex.IndexNameForSidecarSetNamespace, fieldindex.IndexSidecarSet,
	)
	// What an administrator sets, so that OpenKruise accepts annotations.
	configuration := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kruise-system", Name: "kruise-configuration"},
		Data:       map[string]string{"SidecarSet_PatchPodMetadata_WhiteList": in.Whitelist},
	}
	if in.Whitelist == "" {
		configuration.Data = nil
	}
	empty := fake.NewClientBuilder().WithScheme(scheme).WithObjects(configuration).Build()
	for _, raw := range in.SidecarSets {
		stored, problem := admit(&defaulting.SidecarSetCreateHandler{Decoder: decoder}, "sidecarsets", raw)
		if problem == "" {
			handler := &validating.SidecarSetCreateUpdateHandler{Client: empty, Decoder: decoder}
			_, problem = admit(handler, "sidecarsets", stored)
		}
		if problem != "" {
			out.Problems = append(out.Problems, problem)
			continue
		}
		set := &appsv1alpha1.SidecarSet{}
		must(json.Unmarshal(stored, set))
		builder = builder.WithObjects(client.Object(set))
	}
	pods := &podwebhook.PodCreateHandler{Client: builder.Build(), Decoder: decoder}
	for _, raw := range in.Pods {
		changed, problem := admit(pods, "pods", raw)
		if problem != "" {
			out.Problems = append(out.Problems, problem)
		}
		out.Pods = append(out.Pods, changed)
	}
	must(json.NewEncoder(os.Stdout).Encode(out))
}

// admit returns the object as a webhook changes it, or why the webhook refuses it.
func admit(handler admission.Handler, resource string, raw json.RawMessage) (json.RawMessage, string) {
	request := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		UID:       "1",
		Operation: admissionv1.Create,
		Namespace: "default",
		Resource:  metav1.GroupVersionResource{Version: "v1", Resource: resource},
		Object:    runtime.RawExtension{Raw: raw},
		Options:   runtime.RawExtension{Raw: []byte(`{"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"}`)},
	}}
	response := handler.Handle(context.Background(), request)
	if !response.Allowed {
		return raw, fmt.Sprintf("%s: %s", resource, response.Result.Message)
	}
	if len(response.Patches) == 0 {
		return raw, ""
	}
	encoded, err := json.Marshal(response.Patches)
	must(err)
	patch, err := jsonpatch.DecodePatch(encoded)
	must(err)
	changed, err := patch.Apply(raw)
	must(err)
	return changed, ""
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
